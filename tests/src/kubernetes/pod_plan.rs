//! From a pod's `spec` to what a container is started with: environment, volumes, mounts, user, command.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    cluster::{Cluster, NODE},
    container::{DEFAULT_PATH, Plan, give_to},
    quantity,
    resources::{CONFIG_MAPS, SECRETS},
};

/// Makes the volumes of a pod below `directory`; the error is what `FailedMount` says.
pub(super) fn make_volumes(cluster: &Cluster, pod: &Value, directory: &Path) -> Result<(), String> {
    let group = pod["spec"]["securityContext"]["fsGroup"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        let name = volume["name"].as_str().unwrap_or_default();
        let path = directory.join("volumes").join(name);
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        give_to(&path, 0, group, 0o2777);
        write_files(cluster, pod, volume, &path)
            .map_err(|why| format!("MountVolume.SetUp failed for volume {name:?} : {why}"))?;
    }
    Ok(())
}

fn write_files(cluster: &Cluster, pod: &Value, volume: &Value, path: &Path) -> Result<(), String> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    if let Some(secret) = volume["secret"]["secretName"].as_str() {
        let object = cluster.get(&SECRETS, namespace, secret).ok_or_else(|| format!("secret {secret:?} not found"))?;
        for (key, value) in object["data"].as_object().into_iter().flatten() {
            write_file(path, key, &decode_base64(value));
        }
    }
    if let Some(map) = volume["configMap"]["name"].as_str() {
        let object = cluster.get(&CONFIG_MAPS, namespace, map).ok_or_else(|| format!("configmap {map:?} not found"))?;
        for (key, value) in object["data"].as_object().into_iter().flatten() {
            write_file(path, key, value.as_str().unwrap_or_default().as_bytes());
        }
    }
    for item in volume["downwardAPI"]["items"].as_array().into_iter().flatten() {
        let value = field_value(pod, item["fieldRef"]["fieldPath"].as_str().unwrap_or_default());
        write_file(path, item["path"].as_str().unwrap_or_default(), value.as_bytes());
    }
    if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str()
        && host_directory(cluster, volume).is_none()
    {
        return Err(format!("persistentvolumeclaim {claim:?} not found"));
    }
    Ok(())
}

fn write_file(directory: &Path, name: &str, content: &[u8]) {
    // Names come from objects that the API accepted.
    let path = directory.join(name);
    let _ = fs::write(&path, content);
    give_to(&path, 0, 0, 0o644);
}

fn decode_base64(value: &Value) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default()
}

/// The host directory of a volume that is not made for the pod.
fn host_directory(cluster: &Cluster, volume: &Value) -> Option<PathBuf> {
    if let Some(path) = volume["hostPath"]["path"].as_str() {
        return Some(PathBuf::from(path));
    }
    let names = [&volume["persistentVolumeClaim"]["claimName"], &volume["image"]["reference"], &volume["nfs"]["path"]];
    let name = names.into_iter().find_map(Value::as_str)?;
    cluster.options.claims.iter().find(|(claim, _)| claim == name).map(|(_, path)| path.clone())
}

/// What to start a container with; the error is what `CreateContainerConfigError` says.
pub(super) fn plan(cluster: &Cluster, pod: &Value, container: &Value, directory: &Path) -> Result<Plan, String> {
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let environment = environment(cluster, pod, container)?;
    let expand = |text: &Value| expand(text.as_str().unwrap_or_default(), &environment);
    let mut command: Vec<String> = container["command"].as_array().into_iter().flatten().map(expand).collect();
    command.extend(container["args"].as_array().into_iter().flatten().map(expand));
    let mut mounts = Vec::new();
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let volumes = pod["spec"]["volumes"].as_array();
        let volume = volumes
            .and_then(|volumes| volumes.iter().find(|volume| volume["name"] == mount["name"]))
            .cloned()
            .unwrap_or_default();
        let own = directory.join("volumes").join(mount["name"].as_str().unwrap_or_default());
        let mut host = host_directory(cluster, &volume).unwrap_or(own);
        if let Some(sub) = mount["subPath"].as_str() {
            host = host.join(sub);
            let _ = fs::create_dir_all(&host);
        }
        let never_written = ["secret", "configMap", "image", "downwardAPI", "projected"]
            .iter()
            .any(|source| volume[*source].is_object());
        let path = mount["mountPath"].as_str().unwrap_or_default().to_owned();
        mounts.push((host, path, mount["readOnly"] == true || never_written));
    }
    mounts.sort_by_key(|(_, path, _)| path.len());
    let context = |field: &str| -> Value {
        let own = &container["securityContext"][field];
        if own.is_null() { pod["spec"]["securityContext"][field].clone() } else { own.clone() }
    };
    let id = |field: &str| context(field).as_u64().and_then(|id| u32::try_from(id).ok());
    let user = id("runAsUser").unwrap_or(0);
    if context("runAsNonRoot") == true && user == 0 {
        return Err("container has runAsNonRoot and image will run as root".to_owned());
    }
    let memory = container["resources"]["limits"]["memory"].as_str().map(quantity::millis);
    Ok(Plan {
        hostname: pod["metadata"]["name"].as_str().unwrap_or_default().chars().take(63).collect(),
        command,
        directory: container["workingDir"].as_str().unwrap_or("/").to_owned(),
        mounts,
        user,
        group: id("runAsGroup").unwrap_or(0),
        read_only_root: container["securityContext"]["readOnlyRootFilesystem"] == true,
        memory_bytes: memory.and_then(|millis| u64::try_from(millis / 1_000).ok()),
        files: directory.join("containers").join(&name),
        name,
        environment,
    })
}

fn environment(cluster: &Cluster, pod: &Value, container: &Value) -> Result<Vec<(String, String)>, String> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let mut variables = vec![
        ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
        ("HOSTNAME".to_owned(), pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()),
    ];
    // Also with enableServiceLinks: false.
    for (name, value) in [
        ("SERVICE_HOST", "10.96.0.1"),
        ("SERVICE_PORT", "443"),
        ("SERVICE_PORT_HTTPS", "443"),
        ("PORT", "tcp://10.96.0.1:443"),
        ("PORT_443_TCP", "tcp://10.96.0.1:443"),
        ("PORT_443_TCP_PROTO", "tcp"),
        ("PORT_443_TCP_PORT", "443"),
        ("PORT_443_TCP_ADDR", "10.96.0.1"),
    ] {
        variables.push((format!("KUBERNETES_{name}"), value.to_owned()));
    }
    for entry in container["env"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap_or_default().to_owned();
        let from = &entry["valueFrom"];
        let value = if let Some(secret) = from["secretKeyRef"]["name"].as_str() {
            let object =
                cluster.get(&SECRETS, namespace, secret).ok_or_else(|| format!("secret {secret:?} not found"))?;
            let key = from["secretKeyRef"]["key"].as_str().unwrap_or_default();
            String::from_utf8_lossy(&decode_base64(&object["data"][key])).into_owned()
        } else if let Some(map) = from["configMapKeyRef"]["name"].as_str() {
            let object =
                cluster.get(&CONFIG_MAPS, namespace, map).ok_or_else(|| format!("configmap {map:?} not found"))?;
            let key = from["configMapKeyRef"]["key"].as_str().unwrap_or_default();
            object["data"][key].as_str().unwrap_or_default().to_owned()
        } else if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
            field_value(pod, path)
        } else {
            expand(entry["value"].as_str().unwrap_or_default(), &variables)
        };
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value));
    }
    Ok(variables)
}

fn field_value(pod: &Value, path: &str) -> String {
    let text = match path {
        "spec.nodeName" => NODE,
        "status.podIP" | "status.hostIP" => "10.250.0.1",
        _ => {
            let in_map = path.split_once("['").map(|(map, key)| (map, key.trim_end_matches("']")));
            let (path, key) = in_map.unwrap_or((path, ""));
            let found = path.split('.').try_fold(pod, |at, part| at.get(part));
            let found = if key.is_empty() { found } else { found.and_then(|map| map.get(key)) };
            found.and_then(Value::as_str).unwrap_or_default()
        }
    };
    text.to_owned()
}

/// Replaces `$(NAME)` by the variable; what is unknown stays.
fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut out = text.to_owned();
    if out.contains("$(") {
        for (name, value) in variables {
            out = out.replace(&format!("$({name})"), value);
        }
    }
    out
}
