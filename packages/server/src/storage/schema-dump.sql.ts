// Questions to the catalogue about the current schema, in forms that PostgreSQL 15 to 18 answer alike.
import type pg from "pg";

/** The partitions that upkeep makes and drops are no part of the schema. */
const IS_HISTORY_PARTITION = "relname ~ '^(event|attempt|dead_letter|cancelled_delivery)_c[0-9]+(_[0-9]{8})?$'";
const OUR_TABLES = `
  c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.${IS_HISTORY_PARTITION}`;

async function ask<Row extends pg.QueryResultRow>(client: pg.ClientBase, sql: string): Promise<Row[]> {
  return (await client.query<Row>(sql)).rows;
}

export interface TableRow {
  readonly name: string;
  /** `list (retention_class)`; null for an ordinary table. */
  readonly partition_key: string | null;
  readonly parent: string | null;
  readonly bound: string | null;
  readonly options: string[] | null;
  readonly row_security: boolean;
  readonly force_row_security: boolean;
}

export function listTables(client: pg.ClientBase): Promise<TableRow[]> {
  return ask(
    client,
    `
    select c.relname as name, pg_get_partkeydef(c.oid) as partition_key, parent.relname as parent,
           pg_get_expr(c.relpartbound, c.oid) as bound, c.reloptions as options,
           c.relrowsecurity as row_security, c.relforcerowsecurity as force_row_security
    from pg_class c
    left join pg_inherits link on link.inhrelid = c.oid
    left join pg_class parent on parent.oid = link.inhparent
    where ${OUR_TABLES}
    order by c.relname collate "C"`,
  );
}

export interface ColumnRow {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly not_null: boolean;
  readonly default: string | null;
}

export function listColumns(client: pg.ClientBase): Promise<ColumnRow[]> {
  return ask(
    client,
    `
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
           a.attnotnull as not_null, pg_get_expr(d.adbin, d.adrelid) as default
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where ${OUR_TABLES}
    order by c.relname collate "C", a.attnum`,
  );
}

export interface NamedDefinitionRow {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
}

/** Without NOT NULL, which PostgreSQL 18 lists here and 15 does not; columns say it. */
export function listConstraints(client: pg.ClientBase): Promise<NamedDefinitionRow[]> {
  return ask(
    client,
    `
    select c.relname as table, k.conname as name, pg_get_constraintdef(k.oid) as definition
    from pg_class c
    join pg_constraint k on k.conrelid = c.oid and k.contype <> 'n'
    where ${OUR_TABLES}
    order by c.relname collate "C", array_position(array['p', 'u', 'x', 'f', 'c'], k.contype::text), k.conname collate "C"`,
  );
}

/** Without those that a constraint stands for. The schema's name is left out: it may be another one in every database. */
export function listIndexes(client: pg.ClientBase): Promise<NamedDefinitionRow[]> {
  return ask(
    client,
    `
    select c.relname as table, i.relname as name,
           replace(pg_get_indexdef(i.oid), format(' ON %s%I.', case when c.relkind = 'p' then 'ONLY ' else '' end, current_schema()), ' ON ') as definition
    from pg_class c
    join pg_index x on x.indrelid = c.oid
    join pg_class i on i.oid = x.indexrelid
    where ${OUR_TABLES} and not exists (select from pg_constraint k where k.conindid = i.oid)
    order by c.relname collate "C", i.relname collate "C"`,
  );
}

export interface PolicyRow {
  readonly table: string;
  readonly name: string;
  readonly command: string;
  readonly permissive: string;
  readonly roles: string;
  readonly using: string | null;
  readonly with_check: string | null;
}

export function listPolicies(client: pg.ClientBase): Promise<PolicyRow[]> {
  return ask(
    client,
    `
    select c.relname as table, p.policyname as name, lower(p.cmd) as command, lower(p.permissive) as permissive,
           array_to_string(p.roles, ', ') as roles, p.qual as using, p.with_check
    from pg_class c
    join pg_policies p on p.schemaname = current_schema() and p.tablename = c.relname
    where ${OUR_TABLES}
    order by c.relname collate "C", p.policyname collate "C"`,
  );
}

export interface GrantRow {
  readonly object: string;
  readonly is_sequence: boolean;
  readonly role: string;
  readonly privileges: string;
}

/** What our roles may do; the owner's own rights differ between versions and matter to nobody. */
export function listGrants(client: pg.ClientBase): Promise<GrantRow[]> {
  return ask(
    client,
    `
    select c.relname as object, c.relkind = 'S' as is_sequence, r.rolname as role,
           string_agg(lower(a.privilege_type), ', ' order by a.privilege_type) as privileges
    from pg_class c
    cross join lateral aclexplode(c.relacl) a
    join pg_roles r on r.oid = a.grantee and r.rolname in ('posthorn_api', 'posthorn_engine')
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'S')
      and not c.${IS_HISTORY_PARTITION}
    group by c.relname, c.relkind, r.rolname
    order by c.relname collate "C", r.rolname collate "C"`,
  );
}

export interface SequenceRow {
  readonly name: string;
  readonly type: string;
  readonly increment: string;
  readonly cache: string;
}

export function listSequences(client: pg.ClientBase): Promise<SequenceRow[]> {
  return ask(
    client,
    `
    select sequencename as name, data_type::text as type, increment_by::text as increment, cache_size::text as cache
    from pg_sequences
    where schemaname = current_schema()
    order by sequencename collate "C"`,
  );
}

/** Things that our migrations never make; a dump that shows one shows a mistake. */
export function listOthers(client: pg.ClientBase): Promise<{ kind: string; name: string }[]> {
  return ask(
    client,
    `
    select kind, name from (
      select 'function' as kind, proname as name from pg_proc where pronamespace = current_schema()::regnamespace
      union all
      select 'trigger', t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = current_schema()::regnamespace and not t.tgisinternal
      union all
      select case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'type' end, relname
      from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('v', 'm', 'c')
      union all
      select 'enum', typname from pg_type where typnamespace = current_schema()::regnamespace and typtype = 'e'
    ) other
    order by kind collate "C", name collate "C"`,
  );
}
