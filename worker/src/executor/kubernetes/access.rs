//! Whether we may do what we need to, asked before the first run needs it.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{
    Api,
    api::{ListParams, PostParams},
};

use super::{
    KubernetesError,
    cluster::{Cluster, Failure, in_time},
};

/// (group, resource, subresource, verbs): the Role that suffices. `events` is apart, because runs go without it.
const NEEDED: [(&str, &str, &str, &[&str]); 3] = [
    ("batch", "jobs", "", &["create", "get", "list", "delete"]),
    ("", "pods", "", &["get", "list", "watch"]),
    ("", "pods", "log", &["get"]),
];

/// Asks the cluster about each verb.
pub(super) async fn check(cluster: &Cluster, namespace: &str) -> Result<(), KubernetesError> {
    let mut denied = Vec::new();
    for (group, resource, subresource, verbs) in NEEDED {
        for verb in verbs {
            match may(cluster, namespace, group, resource, subresource, verb).await {
                Ok(true) => {}
                Ok(false) => {
                    let slash = if subresource.is_empty() { "" } else { "/" };
                    denied.push(format!("{verb} {resource}{slash}{subresource}"));
                }
                Err(Failure::Passing(cause)) => return Err(KubernetesError::Unreachable(cause)),
                // Reviews are switched off: find out by doing what can be done without harm.
                Err(_) => return by_listing(cluster, namespace).await,
            }
        }
    }
    match denied.is_empty() {
        true => Ok(()),
        false => Err(KubernetesError::Denied { denied: denied.join(", "), namespace: namespace.to_owned() }),
    }
}

async fn may(
    cluster: &Cluster,
    namespace: &str,
    group: &str,
    resource: &str,
    subresource: &str,
    verb: &str,
) -> Result<bool, Failure> {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: text(namespace),
                group: text(group),
                resource: text(resource),
                subresource: text(subresource),
                verb: text(verb),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let answer = in_time(reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn by_listing(cluster: &Cluster, namespace: &str) -> Result<(), KubernetesError> {
    let one = ListParams::default().limit(1);
    let jobs = in_time(cluster.jobs.list(&one)).await.map(|_| ());
    let pods = in_time(cluster.pods.list(&one)).await.map(|_| ());
    for (what, answer) in [("list jobs", jobs), ("list pods", pods)] {
        match answer {
            Ok(()) => {}
            Err(Failure::Passing(cause)) => return Err(KubernetesError::Unreachable(cause)),
            Err(_) => {
                return Err(KubernetesError::Denied { denied: what.to_owned(), namespace: namespace.to_owned() });
            }
        }
    }
    Ok(())
}
