// Shows the description of the HTTP interface and sends requests. It stores nothing, the token neither.
"use strict";

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

/** Longest answer that is shown, in characters. */
const SHOWN = 20000;

/** An example value for a schema, so that a body need not be typed from nothing. */
function example(schema, all, depth = 0) {
  if (!schema || depth > 6) return null;
  if (schema.$ref) return example(all[schema.$ref.split("/").pop()], all, depth + 1);
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) return example(variants.find((one) => one.type !== "null") ?? variants[0], all, depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => example(one, all, depth + 1)));
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "object") {
    const fields = Object.entries(schema.properties ?? {});
    return Object.fromEntries(fields.map(([name, field]) => [name, example(field, all, depth + 1)]));
  }
  return { string: "", integer: 0, number: 0, boolean: false, array: [] }[type] ?? null;
}

function field(parameter) {
  const boolean = parameter.schema?.type === "boolean";
  const input = element("input", { type: boolean ? "checkbox" : "text", required: parameter.required && !boolean });
  const label = element("label", {}, `${parameter.name} `, element("span", { className: "note" }, parameter.description ?? ""), input);
  return { parameter, input, label };
}

function address(path, fields) {
  const query = new URLSearchParams();
  for (const { parameter, input } of fields) {
    const value = input.type === "checkbox" ? (input.checked ? "true" : "") : input.value;
    if (parameter.in === "path") {
      path = path.replace(`{${parameter.name}}`, value.split("/").map(encodeURIComponent).join("/"));
    } else if (parameter.in === "query" && value !== "") {
      query.set(parameter.name, value);
    }
  }
  return query.size ? `${path}?${query}` : path;
}

async function send(method, path, fields, body, output) {
  const headers = {};
  const token = document.getElementById("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  for (const { parameter, input } of fields) if (parameter.in === "header" && input.value) headers[parameter.name] = input.value;
  if (body?.kind) headers["Content-Type"] = body.kind;
  output.textContent = "…";
  try {
    const answer = await fetch(address(path, fields), { method, headers, body: body?.value() });
    const kind = answer.headers.get("content-type") ?? "";
    let text = /json|text/.test(kind) ? await answer.text() : `${(await answer.blob()).size} bytes of ${kind || "nothing"}`;
    if (/json/.test(kind)) text = JSON.stringify(JSON.parse(text), null, 2);
    output.textContent = `${answer.status} ${answer.statusText}\n${text.slice(0, SHOWN)}${text.length > SHOWN ? "\n… cut" : ""}`;
  } catch (error) {
    output.textContent = String(error);
  }
}

function bodyOf(operation, all) {
  const content = Object.entries(operation.requestBody?.content ?? {})[0];
  if (!content) return null;
  const [kind, { schema }] = content;
  if (kind === "application/json") {
    const input = element("textarea", { rows: 6, value: JSON.stringify(example(schema, all), null, 2) });
    return { kind, input, value: () => input.value };
  }
  const input = element("input", { type: "file" });
  return { kind, input, value: () => input.files[0] };
}

function route(method, path, operation, all) {
  const fields = (operation.parameters ?? []).map(field);
  const body = bodyOf(operation, all);
  const output = element("pre", { hidden: true });
  const form = element("form", {}, ...fields.map(({ label }) => label));
  if (body) form.append(element("label", {}, `body: ${body.kind}`, body.input));
  form.append(element("button", {}, "Send"), output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    send(method, path, fields, body, output);
  });
  const answers = Object.entries(operation.responses ?? {}).map(([status, { description }]) => element("li", {}, `${status}: ${description}`));
  const name = element("summary", {}, element("b", {}, method), path);
  const about = [operation.summary, operation.description].filter(Boolean).join(" ");
  return element("details", {}, name, element("p", {}, about), element("ul", { className: "note" }, ...answers), form);
}

async function show() {
  const description = await (await fetch("/api/openapi.json")).json();
  document.getElementById("about").textContent = description.info.description;
  const all = description.components?.schemas ?? {};
  const groups = new Map();
  for (const [path, item] of Object.entries(description.paths)) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      const operation = item[method];
      if (!operation) continue;
      const group = operation.tags?.[0] ?? "other";
      groups.set(group, [...(groups.get(group) ?? []), route(method.toUpperCase(), path, operation, all)]);
    }
  }
  for (const [group, routes] of groups) document.getElementById("routes").append(element("h2", {}, group), ...routes);
}

show();
