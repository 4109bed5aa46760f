// docs/api.md, from the OpenAPI document: every operation with its scope, parameters, fields, answers, codes and a curl
// line that can be run; then every object by name. It must only say what the document says.

const METHODS = ["get", "post", "put", "patch", "delete"];
/** Taken by every operation, so it is said once. */
const COMPANY = "X-Company-Id";

/**
 * @param document as `openApiDocument` makes it
 * @param writtenBy the mark at the head of the page
 * @param table (headings, rows) → Markdown
 */
export function apiPage(document, writtenBy, table) {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => ({ method, path, ...item[method] })),
  );
  const withKey = operations.filter((operation) => operation.security.length > 0);
  const codes = withKey.map((operation) =>
    Object.values(operation.responses).flatMap((response) => codesOf(resolved(response, document))),
  );
  const common = new Set(codes[0].filter((name) => codes.every((each) => each.includes(name))));
  const company = document.components.parameters.CompanyId;
  const sections = document.tags.map(({ name, description }) =>
    [
      `## ${name}`,
      description,
      ...operations
        .filter((operation) => operation.tags.includes(name))
        .map((operation) => operationSection(operation, document, table, common)),
    ].join("\n\n"),
  );
  return `# API reference

${writtenBy}

The same as OpenAPI 3.1, for tools: \`GET /v1/openapi.json\`, without a key. Codes are explained in [Errors](errors.md).

${document.info.description}

The examples take the node's address from \`POSTHORN_URL\`, such as \`http://127.0.0.1:8420\`, and the key from
\`POSTHORN_API_KEY\`.

${document.components.securitySchemes.apiKey.description}

Every request may carry \`${company.name}\`. ${company.description}

Any request can be refused with ${codeList(withKey[0], document, (name) => common.has(name))}; below stand only the codes
beside these.

${sections.join("\n\n")}

## Objects

${Object.entries(document.components.schemas)
  .map(([name, schema]) => objectSection(name, schema, table))
  .join("\n\n")}
`;
}

function operationSection(operation, document, table, common) {
  const { method, path, summary, description } = operation;
  const parts = [`### ${method.toUpperCase()} /v1${path}`, summary, description];
  const parameters = (operation.parameters ?? [])
    .map((each) => resolved(each, document))
    .filter((each) => each.name !== COMPANY);
  if (parameters.length > 0) {
    const rows = parameters.map((each) => [
      code(each.name),
      each.in,
      typeOf(each.schema),
      each.required ? "yes" : "",
      sentence(each),
    ]);
    parts.push(table(["parameter", "in", "type", "required", "meaning"], rows));
  }
  const body = operation.requestBody;
  if (body !== undefined) {
    const forms = Object.entries(body.content).map(([type, { schema }]) => `${linkOf(schema)} as ${code(type)}`);
    parts.push(`**Body**${body.required ? "" : " (may be left out)"}: ${forms.join(", or ")}.`);
  }
  parts.push(`**Answer**: ${answers(operation)}.`);
  const refusals = codeList(operation, document, (name) => !common.has(name));
  if (refusals !== "") parts.push(`**Refusals** of its own: ${refusals}.`);
  parts.push(curl(operation, document));
  return parts.join("\n\n");
}

function answers(operation) {
  return Object.entries(operation.responses)
    .filter(([status]) => status < "400")
    .map(([status, response]) => success(status, response))
    .join("; ");
}

function success(status, { content, description }) {
  const data = content?.["application/json"]?.schema.properties?.data;
  if (data === undefined) return `${status}: ${description.replace(/\.$/, "")}`;
  return data.type === "array" ? `${status} with a page of ${linkOf(data.items)}` : `${status} with ${linkOf(data)}`;
}

const codesOf = ({ description }) => [...description.matchAll(/`([A-Z0-9_]+)`/g)].map((match) => match[1]);
const errorLink = (name) => `[${code(name)}](errors.md#${name})`;

/** Codes by status: `400 INVALID_JSON · 401 UNAUTHORIZED`. */
function codeList(operation, document, isShown) {
  return Object.entries(operation.responses)
    .filter(([status]) => status >= "400")
    .map(([status, response]) => [status, codesOf(resolved(response, document)).filter(isShown)])
    .filter(([, codes]) => codes.length > 0)
    .map(([status, codes]) => `${status} ${codes.map(errorLink).join(", ")}`)
    .join(" · ");
}

function curl(operation, document) {
  const { method, path, parameters = [], requestBody } = operation;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name) => {
    const { schema } = parameters.map((each) => resolved(each, document)).find((each) => each.name === name);
    return resolved(schema, document).examples?.[0] ?? name;
  });
  const lines = [`curl -X ${method.toUpperCase()} "$POSTHORN_URL/v1${filled}"`];
  if (operation.security.length > 0) {
    lines.push('-H "Authorization: Bearer $POSTHORN_API_KEY"');
  }
  const schema = requestBody?.content["application/json"]?.schema;
  if (schema !== undefined) {
    const [example] = resolved(schema, document).examples;
    lines.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(example)}'`);
  }
  return `\`\`\`sh\n${lines.join(" \\\n  ")}\n\`\`\``;
}

function objectSection(name, schema, table) {
  const rows = fieldsOf(schema, "");
  const parts = [`### ${name}`, ...(schema.description === undefined ? [] : [schema.description])];
  if (rows.length > 0) parts.push(table(["field", "type", "always", "meaning"], rows));
  return parts.join("\n\n");
}

/** A row for each member, and below it for those of objects that have no name of their own. */
function fieldsOf(schema, prefix) {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const row = [code(prefix + name), typeOf(member), schema.required?.includes(name) ? "yes" : "", sentence(member)];
    const inner = innerObject(member);
    return [row, ...(inner === null ? [] : fieldsOf(inner.schema, `${prefix}${name}${inner.suffix}`))];
  });
}

/** The object inside a member, through null and lists, if it has no name. */
function innerObject(member, suffix = ".") {
  if (member.properties !== undefined) return { schema: member, suffix };
  if (member.type === "array" && member.items !== undefined) return innerObject(member.items, `[]${suffix}`);
  const forms = (member.anyOf ?? []).filter((form) => form.type !== "null");
  return forms.length === 1 ? innerObject(forms[0], suffix) : null;
}

function typeOf(schema) {
  if (schema.$ref !== undefined) return linkOf(schema);
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(", ");
  const forms = schema.anyOf ?? schema.oneOf;
  if (forms !== undefined) return [...new Set(forms.map(typeOf))].join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (Array.isArray(schema.type)) return schema.type.join(" or ");
  if (schema.format === "date-time") return "time";
  return schema.type ?? "any JSON";
}

/** What a schema says of itself; its bounds are in the OpenAPI document. */
function sentence(schema) {
  const inner = (schema.anyOf ?? []).map((form) => form.description).find((text) => text !== undefined);
  return (schema.description ?? inner ?? "").replaceAll("\n", " ");
}

function linkOf(schema) {
  const name = schema.$ref?.split("/").at(-1);
  return name === undefined ? typeOf(schema) : `[${name}](#${name.toLowerCase()})`;
}

function resolved(value, document) {
  if (value.$ref === undefined) return value;
  return value.$ref
    .slice(2)
    .split("/")
    .reduce((part, step) => part[step], document);
}

const code = (text) => `\`${text}\``;
