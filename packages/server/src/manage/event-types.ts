// The event types that a tenant registers beside the catalogue: from the answer on every node takes such events.
// Must never shadow a published type, and never remove one that a webhook names.
import { hash } from "node:crypto";
import { type ErrorDetail, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { asTenant } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import {
  type Change,
  changeConfiguration,
  entryBy,
  changedMembers,
  type ChangeOptions,
  madeMembers,
  undo,
} from "./change.ts";
import {
  countRegisteredTypes,
  deleteRegisteredType,
  type RegisteredTypeRow,
  selectRegisteredType,
  selectWebhooksNaming,
  upsertRegisteredType,
} from "./event-types.sql.ts";
import { touchTenant } from "./tenants.sql.ts";

export interface RegisteredTypesOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly isPublished: (name: string) => boolean;
}

/** An event as it could be published, without its type. */
export interface ExampleFields {
  readonly data: unknown;
  readonly timestamp?: string | undefined;
  readonly context?: Readonly<Record<string, unknown>> | undefined;
}

/** `null` takes a member away. */
export interface RegisteredTypeFields {
  readonly description: string;
  /** Where in `data` the business number stands. */
  readonly referencePath?: readonly string[] | null | undefined;
  readonly example?: ExampleFields | null | undefined;
}

export type RegisteredTypeChange = {
  readonly [Field in keyof RegisteredTypeFields]?: RegisteredTypeFields[Field] | undefined;
};

export type TypeWritten =
  | { readonly kind: "written"; readonly type: RegisteredTypeRow }
  /** Published types cannot be registered or changed. */
  | { readonly kind: "published" }
  | { readonly kind: "exists" }
  | { readonly kind: "too_many"; readonly limit: number }
  | { readonly kind: "invalid"; readonly details: readonly ErrorDetail[] }
  | { readonly kind: "absent" };

export type TypeRemoved =
  | { readonly kind: "removed" }
  | { readonly kind: "published" }
  | { readonly kind: "absent" }
  /** Webhooks name it; some of them. */
  | { readonly kind: "in_use"; readonly webhookIds: readonly string[] };

/** All of them are in the memory of every node that serves the tenant. */
export const MAX_REGISTERED_TYPES = 1_000;
const MAX_EXAMPLE_LENGTH = 65_536;
/** How many webhooks a refusal names. */
const NAMED_WEBHOOKS = 5;

export class RegisteredTypes {
  readonly #options: RegisteredTypesOptions;

  constructor(options: RegisteredTypesOptions) {
    this.#options = options;
  }

  async register(actor: Actor, name: string, fields: RegisteredTypeFields): Promise<TypeWritten> {
    if (this.#options.isPublished(name)) return { kind: "published" };
    const details = exampleProblems(fields.example);
    if (details.length > 0) return { kind: "invalid", details };
    return this.#change(actor, async (change): Promise<TypeWritten> => {
      const { db } = change;
      if ((await selectRegisteredType(db, actor.tenantUuid, name)) !== null) undo<TypeWritten>({ kind: "exists" });
      if ((await countRegisteredTypes(db, actor.tenantUuid)) >= MAX_REGISTERED_TYPES) {
        undo<TypeWritten>({ kind: "too_many", limit: MAX_REGISTERED_TYPES });
      }
      const type: RegisteredTypeRow = {
        created_at: new Date(change.atMs),
        name,
        description: fields.description,
        reference_path: fields.referencePath?.slice() ?? null,
        example: exampleOf(name, fields.example),
      };
      await this.#store(change, actor, type, "event_type.registered", madeMembers(membersOf(type)));
      return { kind: "written", type };
    });
  }

  async change(actor: Actor, name: string, fields: RegisteredTypeChange): Promise<TypeWritten> {
    const details = exampleProblems(fields.example);
    if (details.length > 0) return { kind: "invalid", details };
    return this.#change(actor, async (change): Promise<TypeWritten> => {
      const before = await selectRegisteredType(change.db, actor.tenantUuid, name);
      if (before === null) return undo<TypeWritten>({ kind: this.#options.isPublished(name) ? "published" : "absent" });
      const { referencePath, example } = fields;
      const type: RegisteredTypeRow = {
        ...before,
        description: fields.description ?? before.description,
        reference_path: referencePath === undefined ? before.reference_path : (referencePath?.slice() ?? null),
        example: example === undefined ? before.example : exampleOf(name, example),
      };
      const members = changedMembers(membersOf(before), membersOf(type));
      if (Object.keys(members).length === 0) undo<TypeWritten>({ kind: "written", type });
      await this.#store(change, actor, type, "event_type.updated", members);
      return { kind: "written", type };
    });
  }

  /** Its events stay and can be replayed; new ones are refused, unless the tenant takes unknown types. */
  async remove(actor: Actor, name: string): Promise<TypeRemoved> {
    return this.#change(actor, async (change): Promise<TypeRemoved> => {
      const { db } = change;
      const before = await selectRegisteredType(db, actor.tenantUuid, name);
      if (before === null) return undo<TypeRemoved>({ kind: this.#options.isPublished(name) ? "published" : "absent" });
      const webhooks = this.#options.isPublished(name)
        ? []
        : await selectWebhooksNaming(db, actor.tenantUuid, name, NAMED_WEBHOOKS);
      const webhookIds = webhooks.map((uuid) => idFromUuid("webhook", uuid));
      if (webhookIds.length > 0) undo<TypeRemoved>({ kind: "in_use", webhookIds });
      await deleteRegisteredType(db, actor.tenantUuid, name);
      await touchTenant(db, actor.tenantUuid, change.configVersion);
      await change.audit(
        entryBy(actor, "event_type.removed", "event_type", name, {
          description: { from: before.description, to: null },
        }),
      );
      return { kind: "removed" };
    });
  }

  async #store(
    change: Change,
    actor: Actor,
    type: RegisteredTypeRow,
    action: string,
    members: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await upsertRegisteredType(change.db, actor.tenantUuid, type, change.configVersion);
    await touchTenant(change.db, actor.tenantUuid, change.configVersion);
    await change.audit(entryBy(actor, action, "event_type", type.name, members));
  }

  #change<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, actor.tenantUuid, run), work);
  }
}

/** Stored as a whole event, so that it can be published as it is shown. */
function exampleOf(name: string, example: ExampleFields | null | undefined): unknown {
  if (example === null || example === undefined) return null;
  const { timestamp, data, context } = example;
  return {
    event: name,
    ...(timestamp === undefined ? {} : { timestamp }),
    data,
    ...(context === undefined ? {} : { context }),
  };
}

function exampleProblems(example: ExampleFields | null | undefined): ErrorDetail[] {
  if (example === null || example === undefined) return [];
  const { length } = JSON.stringify(example);
  if (length <= MAX_EXAMPLE_LENGTH) return [];
  const message = `An example has at most ${MAX_EXAMPLE_LENGTH} characters as JSON; this one has ${length}.`;
  return [{ field: "example", message, code: "INVALID_VALUE" }];
}

/** The example may be business data, which the trail would outlive: its hash tells that it changed. */
function membersOf(type: RegisteredTypeRow): Record<string, unknown> {
  return {
    description: type.description,
    referencePath: type.reference_path,
    exampleSha256: type.example === null ? null : hash("sha256", JSON.stringify(type.example), "hex"),
  };
}
