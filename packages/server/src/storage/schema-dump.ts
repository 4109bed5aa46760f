// Writes the schema that a database has as one text, so that a change of it is seen in review and drift in CI.
// The text must be the same on PostgreSQL 15 and 18, and must not show the partitions that come and go by the day.
import pg from "pg";
import {
  type ColumnRow,
  listColumns,
  listConstraints,
  listGrants,
  listIndexes,
  listOthers,
  listPolicies,
  listSequences,
  listTables,
  type NamedDefinitionRow,
  type PolicyRow,
  type TableRow,
} from "./schema-dump.sql.ts";

const HEADER = `-- The schema that the migrations make, read back from the catalogue. Generated: node scripts/schema.mjs --write
-- History partitions (event_c90, event_c90_20261123, …) come and go with time and are left out.
`;

/** The schema of a migrated database, as text. Reads only. */
export async function dumpSchema(connection: pg.ClientConfig): Promise<string> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return await dump(client);
  } finally {
    await client.end();
  }
}

async function dump(client: pg.ClientBase): Promise<string> {
  const tables = await listTables(client);
  const columns = groupByTable(await listColumns(client));
  const constraints = groupByTable(await listConstraints(client));
  const indexes = groupByTable(await listIndexes(client));
  const policies = groupByTable(await listPolicies(client));
  const sections = [
    ...(await listSequences(client)).map(
      (row) => `create sequence ${row.name} as ${row.type} increment by ${row.increment} cache ${row.cache};`,
    ),
    ...tables.map((table) =>
      [
        createTable(table, columns.get(table.name) ?? [], constraints.get(table.name) ?? []),
        ...(table.parent === null ? (indexes.get(table.name) ?? []).map((row) => `${row.definition};`) : []),
        ...rowSecurity(table),
        ...(policies.get(table.name) ?? []).map(createPolicy),
      ].join("\n"),
    ),
    (await listGrants(client))
      .map((row) => `grant ${row.privileges} on ${row.is_sequence ? "sequence " : ""}${row.object} to ${row.role};`)
      .join("\n"),
    ...(await listOthers(client)).map((row) => `-- also there: ${row.kind} ${row.name}`),
  ];
  return `${[HEADER.trimEnd(), ...sections].filter((section) => section !== "").join("\n\n")}\n`;
}

function createTable(
  table: TableRow,
  columns: readonly ColumnRow[],
  constraints: readonly NamedDefinitionRow[],
): string {
  const options = table.options === null ? "" : ` with (${table.options.toSorted().join(", ")})`;
  if (table.parent !== null) return `create table ${table.name} partition of ${table.parent} ${table.bound}${options};`;
  const lines = [
    ...columns.map((column) => {
      const fallback = column.default === null ? "" : ` default ${column.default}`;
      return `  ${column.name} ${column.type}${column.not_null ? " not null" : ""}${fallback}`;
    }),
    ...constraints.map((constraint) => `  constraint ${constraint.name} ${constraint.definition}`),
  ];
  const partitioned = table.partition_key === null ? "" : ` partition by ${table.partition_key}`;
  return `create table ${table.name} (\n${lines.join(",\n")}\n)${partitioned}${options};`;
}

function rowSecurity(table: TableRow): string[] {
  return [
    ...(table.row_security ? [`alter table ${table.name} enable row level security;`] : []),
    ...(table.force_row_security ? [`alter table ${table.name} force row level security;`] : []),
  ];
}

function createPolicy(policy: PolicyRow): string {
  const head = `create policy ${policy.name} on ${policy.table} as ${policy.permissive} for ${policy.command} to ${policy.roles}`;
  return [
    head,
    ...(policy.using === null ? [] : [`  using (${oneLine(policy.using)})`]),
    ...(policy.with_check === null ? [] : [`  with check (${oneLine(policy.with_check)})`]),
  ]
    .join("\n")
    .concat(";");
}

function oneLine(expression: string): string {
  return expression.replaceAll(/\s+/g, " ").trim();
}

function groupByTable<Row extends { readonly table: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.table);
    if (group === undefined) groups.set(row.table, [row]);
    else group.push(row);
  }
  return groups;
}
