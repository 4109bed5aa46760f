// The pages of the event types, from the catalogue: one with all of them, and one for each resource with examples.

/**
 * @param catalogue as packages/server loads it
 * @returns {Record<string, string>} pages by path below docs/
 */
export function cataloguePages(catalogue, writtenBy, table) {
  const byResource = new Map();
  for (const type of catalogue.types.values()) {
    const types = byResource.get(type.resource.name) ?? [];
    types.push(type);
    byResource.set(type.resource.name, types);
  }
  const resources = [...byResource].sort(([a], [b]) => a.localeCompare(b));
  const pages = { "catalogue.md": overview(resources, catalogue.types.size, writtenBy, table) };
  for (const [name, types] of resources) pages[`catalogue/${name}.md`] = resourcePage(types, writtenBy);
  return pages;
}

const code = (text) => `\`${text}\``;
const pathOf = (path) => (path === null ? "none" : code(["data", ...path].join(".")));
const anchorOf = (name) => name.replaceAll(".", "");

function overview(resources, count, writtenBy, table) {
  const sections = resources.map(([name, types]) => {
    const [{ resource, module }] = types;
    const rows = types.map((type) => [
      `[${code(type.name)}](catalogue/${name}.md#${anchorOf(type.name)})`,
      type.description,
    ]);
    return `## ${resource.label}

${resource.description} Module: ${module}. [Examples](catalogue/${name}.md)

${table(["event type", "what happened"], rows)}`;
  });
  return `# Event types

${writtenBy}

${count} event types, by what they are about. A webhook names those that it wants, \`invoice.*\` for all of a resource, or
\`*\`. Names never change and never go away. \`GET /v1/event-types\` lists them with those that a tenant registered itself;
an unknown type is refused with the nearest names.

\`posthorn trigger invoice.paid\` publishes an example.

${sections.join("\n\n")}
`;
}

function resourcePage(types, writtenBy) {
  const [{ resource, module, referencePath }] = types;
  const fields = Object.entries(resource.fieldAliases).map(([alias, field]) => `${code(alias)} for ${code(field)}`);
  const names = [resource.name, ...resource.aliases].map(code).join(", ");
  const facts = [
    `- **In expressions:** ${names}, beside \`object\`.`,
    `- **Business number,** by which people search (\`reference\`): ${pathOf(referencePath)}.`,
    ...(fields.length > 0 ? [`- **Other names of fields:** ${fields.join(", ")}.`] : []),
  ];
  const sections = types.map(
    (type) => `## ${type.name}

${type.description} ${type.raisedWhen}

\`\`\`json
${JSON.stringify(type.example, null, 2)}
\`\`\``,
  );
  return `# ${resource.label}

${writtenBy}

${resource.description} Module: ${module}.

${facts.join("\n")}

${sections.join("\n\n")}
`;
}
