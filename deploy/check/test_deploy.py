"""What can be known about deploy/ without Docker and Helm: everything parses, names that must meet do meet, and settings exist."""

import copy
import re
import unittest
from pathlib import Path

import jsonschema
import yaml
from render import Chart, TemplateError

DEPLOY = Path(__file__).resolve().parent.parent
CHART = DEPLOY / "helm/coderoom"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = yaml.safe_load((CHART / "values.schema.json").read_text())
VARIABLES = set(re.findall(r"`(CODEROOM_[A-Z0-9_]+)`", (DEPLOY.parent / "docs/configuration.md").read_text()))

# Everything that can be switched on, so that no template is left out.
FULL = copy.deepcopy(VALUES)
FULL["image"]["pullSecrets"] = ["registry"]
FULL["settings"] = {"CODEROOM_RUNS_MAX_TIME": "30m"}
FULL["server"]["autoscaling"]["enabled"] = True
FULL["ingress"].update(enabled=True, className="nginx", tlsSecret="certificate", annotations={"a": "b"})
FULL["service"]["annotations"] = {"a": "b"}
FULL["serviceAccount"]["annotations"] = {"a": "b"}
for kind in ("server", "worker"):
    FULL[kind].update(nodeSelector={"a": "b"}, tolerations=[{"key": "k"}], affinity={"nodeAffinity": {}})


def render(values: dict) -> tuple[list[dict], Chart]:
    """Every object of the chart, and the chart with what it asked for."""
    chart = Chart(values)
    files = [chart.add(path.read_text()) for path in sorted((CHART / "templates").iterdir())]
    objects = []
    for path, nodes in zip(sorted((CHART / "templates").iterdir()), files):
        text = chart.render(nodes)
        if path.suffix == ".yaml":
            objects += [document for document in yaml.safe_load_all(text) if document]
    return objects, chart


def leaves(values: dict, path: str = "") -> set[str]:
    """Paths of all values; an empty mapping or a list is one."""
    found = set()
    for name, value in values.items():
        here = f"{path}.{name}".lstrip(".")
        found |= leaves(value, here) if isinstance(value, dict) and value else {here}
    return found


class ChartTest(unittest.TestCase):
    def setUp(self):
        self.objects, self.chart = render(FULL)

    def one(self, kind: str, end: str = "") -> dict:
        found = [o for o in self.objects if o["kind"] == kind and o["metadata"]["name"].endswith(end)]
        self.assertEqual(len(found), 1, f"{kind} {end}")
        return found[0]

    def test_every_switch_renders_and_every_object_has_a_name_once(self):
        for values in (VALUES, FULL):
            objects, _ = render(values)
            names = [(o["apiVersion"], o["kind"], o["metadata"]["name"]) for o in objects]
            self.assertEqual(len(names), len(set(names)))
            for document in objects:
                self.assertRegex(document["metadata"]["name"], r"^r-coderoom(-[a-z]+)?$")
        plain = {o["kind"] for o in render(VALUES)[0]}
        self.assertNotIn("Ingress", plain)
        self.assertNotIn("HorizontalPodAutoscaler", plain)

    def test_every_value_is_used_and_every_used_value_exists(self):
        used = self.chart.used | render(VALUES)[1].used
        for leaf in leaves(VALUES):
            self.assertTrue(any(leaf == path or leaf.startswith(path + ".") for path in used), f"nothing uses {leaf}")

    def test_unknown_values_and_functions_are_errors_of_the_check(self):
        for text in ("{{ .Values.nothing }}", "{{ lookup 1 }}", "{{ if .Values.image }}", "{{ end }}"):
            with self.assertRaises(TemplateError, msg=text):
                chart = Chart(VALUES)
                chart.render(chart.add(text))

    def test_values_fit_their_schema_and_wrong_ones_do_not(self):
        jsonschema.Draft7Validator.check_schema(SCHEMA)
        for values in (VALUES, FULL):
            jsonschema.validate(values, SCHEMA)
        for path, wrong in [
            (("publicUrl",), "code.example.org"),
            (("s3", "endpoint"), "s3.example.org"),
            (("existingSecret",), ""),
            (("imagePullSecrets",), []),
            (("server", "replica"), 3),
            (("worker", "slots"), 0),
            (("settings",), {"max_time": "30m"}),
            (("runs", "namespace"), "Runs"),
            (("runs", "images", "python"), "a,b"),
            (("runs", "networkPolicy", "objectStore"), []),
        ]:
            values = copy.deepcopy(VALUES)
            at = values
            for name in path[:-1]:
                at = at[name]
            at[path[-1]] = wrong
            with self.assertRaises(jsonschema.ValidationError, msg=str(path)):
                jsonschema.validate(values, SCHEMA)

    def test_every_variable_is_a_setting(self):
        given = set(self.one("ConfigMap")["data"])
        for kind in ("server", "worker"):
            container = self.container(kind)
            given |= {entry["name"] for entry in container["env"]}
        self.assertEqual(given - VARIABLES, set())

    def container(self, kind: str) -> dict:
        containers = self.one("Deployment", f"-{kind}")["spec"]["template"]["spec"]["containers"]
        self.assertEqual(len(containers), 1)
        return containers[0]

    def test_selectors_find_their_pods(self):
        pods = {k: self.one("Deployment", f"-{k}")["spec"]["template"]["metadata"]["labels"] for k in ("server", "worker")}

        def finds(selector: dict) -> set[str]:
            return {kind for kind, labels in pods.items() if selector.items() <= labels.items()}

        self.assertEqual(finds(self.one("Service")["spec"]["selector"]), {"server"})
        for kind in pods:
            spec = self.one("Deployment", f"-{kind}")["spec"]
            self.assertEqual(finds(spec["selector"]["matchLabels"]), {kind})
            budget = self.one("PodDisruptionBudget", f"-{kind}")["spec"]
            self.assertEqual(finds(budget["selector"]["matchLabels"]), {kind})
            spread = spec["template"]["spec"]["topologySpreadConstraints"][0]
            self.assertEqual(finds(spread["labelSelector"]["matchLabels"]), {kind})
        self.assertEqual(self.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"], "r-coderoom-server")

    def test_ports_and_volumes_have_the_names_they_are_asked_for_by(self):
        for kind in ("server", "worker"):
            container = self.container(kind)
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                self.assertIn(container[probe]["httpGet"]["port"], ports)
            volumes = {v["name"] for v in self.one("Deployment", f"-{kind}")["spec"]["template"]["spec"]["volumes"]}
            self.assertEqual({mount["name"] for mount in container["volumeMounts"]}, volumes)
        self.assertEqual(self.one("Service")["spec"]["ports"][0]["targetPort"], "http")
        backend = self.one("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        self.assertEqual((backend["name"], backend["port"]["name"]), ("r-coderoom", "http"))

    def test_only_workers_may_do_anything_and_only_where_runs_are(self):
        accounts = {o["metadata"]["name"]: o for o in self.objects if o["kind"] == "ServiceAccount"}
        pods = {k: self.one("Deployment", f"-{k}")["spec"]["template"]["spec"] for k in ("server", "worker")}
        for kind, pod in pods.items():
            self.assertIn(pod["serviceAccountName"], accounts)
            self.assertEqual(pod["automountServiceAccountToken"], kind == "worker")
        binding, role = self.one("RoleBinding"), self.one("Role")
        self.assertEqual(binding["roleRef"]["name"], role["metadata"]["name"])
        self.assertEqual([(s["name"], s["namespace"]) for s in binding["subjects"]], [("r-coderoom-worker", "n")])
        runs = VALUES["runs"]["namespace"]
        for document in (role, binding, self.one("NetworkPolicy"), accounts["r-coderoom-run"]):
            self.assertEqual(document["metadata"]["namespace"], runs)
        granted = {(r, v) for rule in role["rules"] for r in rule["resources"] for v in rule["verbs"]}
        needed = {("jobs", v) for v in ("create", "get", "list", "watch", "delete")}
        needed |= {("pods", v) for v in ("get", "list", "watch")} | {("pods/log", "get")}
        self.assertEqual(granted, needed | {("events", "list"), ("events", "watch")})
        data = self.one("ConfigMap")["data"]
        self.assertEqual(data["CODEROOM_KUBERNETES_SERVICE_ACCOUNT"], "r-coderoom-run")
        self.assertEqual(data["CODEROOM_KUBERNETES_NAMESPACE"], runs)

    def test_programs_reach_the_object_store_alone(self):
        policy = self.one("NetworkPolicy")["spec"]
        self.assertEqual(policy["podSelector"], {})
        self.assertEqual((sorted(policy["policyTypes"]), policy["ingress"]), (["Egress", "Ingress"], []))
        store, names = policy["egress"]
        self.assertEqual(store["to"], VALUES["runs"]["networkPolicy"]["objectStore"])
        self.assertEqual([port["port"] for port in names["ports"]], [53, 53])
        without = copy.deepcopy(VALUES)
        without["runs"]["networkPolicy"]["dns"] = False
        policy = [o for o in render(without)[0] if o["kind"] == "NetworkPolicy"][0]["spec"]
        self.assertEqual(len(policy["egress"]), 1)

    def test_pods_meet_the_restricted_standard(self):
        for kind in ("server", "worker"):
            pod = self.one("Deployment", f"-{kind}")["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            container = self.container(kind)["securityContext"]
            self.assertEqual(container["capabilities"], {"drop": ["ALL"]})
            self.assertFalse(container["allowPrivilegeEscalation"])
            self.assertTrue(container["readOnlyRootFilesystem"])
            drain = VALUES[kind]["drainSeconds"]
            self.assertGreater(pod["terminationGracePeriodSeconds"], drain)

    def test_secrets_come_by_reference_alone(self):
        self.assertNotIn("Secret", {o["kind"] for o in self.objects})
        secret = {"POSTGRES_URL", "REDIS_URL", "RABBITMQ_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "ADMIN_TOKEN", "SERVER_METRICS_TOKEN"}
        for kind in ("server", "worker"):
            by_reference = {e["name"].removeprefix("CODEROOM_") for e in self.container(kind)["env"] if "valueFrom" in e}
            self.assertEqual(by_reference, secret)


class ComposeTest(unittest.TestCase):
    def setUp(self):
        self.compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
        self.services = self.compose["services"]

    def test_services_wait_for_those_that_are_there_and_can_say_that_they_are_well(self):
        for name, service in self.services.items():
            for other, how in service.get("depends_on", {}).items():
                self.assertIn(other, self.services, name)
                if how["condition"] == "service_healthy":
                    self.assertIn("healthcheck", self.services[other], f"{name} waits for {other}")

    def test_volumes_and_mounted_files_exist(self):
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((DEPLOY / source).is_file(), f"{name}: {source}")
                else:
                    self.assertIn(source, self.compose["volumes"], name)

    def test_every_variable_is_a_setting_and_no_secret_is_written_down(self):
        for name, value in self.services["coderoom"]["environment"].items():
            self.assertIn(name.removesuffix("_FILE"), VARIABLES)
            if re.search(r"URL$|KEY$|TOKEN$", name) and name != "CODEROOM_SERVER_PUBLIC_URL":
                self.fail(f"{name} has {value}; it belongs into a file")
        script = (DEPLOY / "compose/make-secrets.sh").read_text()
        for service in self.services.values():
            for value in [*service.get("environment", {}).values(), *service.get("command", [])]:
                if str(value).startswith("/secrets/"):
                    self.assertIn(value.removeprefix("/secrets/"), script)

    def test_only_coderoom_is_published_and_on_loopback(self):
        published = {name: service["ports"] for name, service in self.services.items() if "ports" in service}
        self.assertEqual(published, {"coderoom": ["127.0.0.1:7878:7878"]})

    def test_images_are_pinned(self):
        for name, service in self.services.items():
            if "build" not in service:
                self.assertRegex(service["image"], r":[\w.-]*\d[\w.-]*$", name)


class ImagesTest(unittest.TestCase):
    def test_bases_are_pinned_and_nothing_runs_as_root(self):
        files = sorted((DEPLOY / "images").glob("*/Dockerfile"))
        self.assertEqual([file.parent.name for file in files], ["coderoom", "python", "r", "scala"])
        for file in files:
            text = file.read_text()
            bases = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.M))
            stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", text, re.M)
            for base, _ in stages:
                self.assertRegex(base, r"^\$\{\w+\}$", file)
                self.assertRegex(bases[base[2:-1]], r":[\w.-]*\d+\.\d+[\w.-]*$", file)
            named = {stage for _, stage in stages}
            self.assertLessEqual(set(re.findall(r"--from=(\w+)", text)), named)
            last = text[text.rindex("\nFROM ") :]
            self.assertIn("\nUSER 65532:65532\n", last, file)
            self.assertRegex(last, r'\nENTRYPOINT \["/usr/local/bin/coderoom', file)

    def test_copied_files_exist(self):
        root = DEPLOY.parent
        for file in (DEPLOY / "images").glob("*/Dockerfile"):
            for words in re.findall(r"^COPY (?!--from)(.+)$", file.read_text(), re.M):
                for source in words.split()[:-1]:
                    self.assertTrue((root / source).exists(), f"{file}: {source}")


if __name__ == "__main__":
    unittest.main()
