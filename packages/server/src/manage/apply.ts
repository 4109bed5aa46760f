// Applying a file of webhooks: everything is checked and planned before anything changes, then all of it is written in
// one transaction under one configuration version, or nothing. Must never guess which webhook is meant.
import { setImmediate as nextTurn } from "node:timers/promises";
import { type ErrorDetail, type Id, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { MASK } from "../lib/masking.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { selectWebhooksByName } from "./apply.sql.ts";
import {
  ambiguousNames,
  changesOf,
  creationOf,
  declaredFields,
  placed,
  type PlannedWebhook,
  repeatedNames,
} from "./apply-plan.ts";
import { changedSecrets, isInRotation } from "./apply-secrets.ts";
import { readDefinitionNames, undefinedUses, usesIn } from "./definition-uses.ts";
import { undo } from "./change.ts";
import { statusAfter } from "./webhook-change.ts";
import { applyFields, checkWithStored } from "./webhook-configuration.ts";
import type { WebhookChange, WebhookToApply } from "./webhook-fields.ts";
import type { WarningBudget, WarningsOf } from "./warnings.ts";
import type { SecretView } from "./webhook-secret.ts";
import type { PreparedSecrets } from "./webhook-secrets.ts";
import { selectSecrets, type StoredSecretRow } from "./webhook-secrets.sql.ts";
import { WebhookChanges } from "./webhook-transaction.ts";
import { webhookEtag } from "./webhook-view.ts";
import type { Webhooks } from "./webhooks.ts";
import type { WebhookRow } from "./webhooks.sql.ts";

export interface AppliesOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  readonly warningsOf: WarningsOf;
  readonly webhooks: Pick<Webhooks, "checker" | "holder" | "prepareSecrets" | "inOneChange">;
}

/** A line of the plan; a secret only where one was generated: it is shown this once. */
export type AppliedWebhook = PlannedWebhook & Partial<SecretView>;

export type Applied =
  | { readonly kind: "planned"; readonly plan: readonly AppliedWebhook[]; readonly applied: boolean }
  | { readonly kind: "invalid"; readonly details: readonly ErrorDetail[] }
  | { readonly kind: "ambiguous"; readonly details: readonly ErrorDetail[] }
  /** Others kept changing the same webhooks while this was planned. */
  | { readonly kind: "overtaken" };

/** What is to be done to one webhook, decided. */
type Step =
  | { readonly kind: "create"; readonly fields: WebhookToApply; readonly planned: PlannedWebhook }
  | {
      readonly kind: "update";
      readonly before: WebhookRow;
      readonly fields: WebhookChange;
      readonly planned: PlannedWebhook;
    }
  | { readonly kind: "unchanged"; readonly planned: PlannedWebhook }
  | { readonly kind: "delete"; readonly before: WebhookRow; readonly planned: PlannedWebhook };

/** Webhooks as they are stored, with their secrets by webhook. */
interface Stored {
  readonly rows: readonly WebhookRow[];
  readonly secretsOf: (row: WebhookRow) => readonly StoredSecretRow[];
}

/** How often a plan is made again because a webhook was changed under it. */
const MAX_PLANS = 3;
/** So many problems are told; more of them would only take longer to find and to read. */
export const MAX_PROBLEMS = 100;
/** For the warnings of all webhooks together: a second of work, in pieces. A file of the usual kind needs a tenth of it. */
const WARNING_UNITS = 30_000_000;

export class Applies {
  readonly #options: AppliesOptions;

  constructor(options: AppliesOptions) {
    this.#options = options;
  }

  /**
   * Makes the webhooks of the actor's tenant and mode what the file says, matched by name. A thousand webhooks are
   * seconds of work, so the node has its turn after each one; the lock on the configuration is held for statements only.
   * @param how `prune` deletes the webhooks that the file does not name; `dryRun` only plans
   */
  async apply(
    actor: Actor,
    webhooks: readonly WebhookToApply[],
    how: { readonly dryRun: boolean; readonly prune: boolean },
  ): Promise<Applied> {
    const details = await this.#problemsOf(actor, webhooks);
    if (details.length > 0) return { kind: "invalid", details };
    const names = how.prune ? null : webhooks.map(({ name }) => name);
    const budget = { unitsLeft: WARNING_UNITS };
    for (let plans = 0; plans < MAX_PLANS; plans += 1) {
      const stored = await asTenant(this.#options.api, actor.tenantUuid, (db) => read(db, actor, names));
      const planned = await this.#plan(stored, actor, webhooks, names !== null, budget);
      if (planned.kind !== "steps") return planned;
      const { steps } = planned;
      const plan = steps.map((step) => step.planned);
      const isNoChange = plan.every(({ action }) => action === "unchanged");
      if (how.dryRun || isNoChange) return { kind: "planned", plan, applied: !how.dryRun };
      const written = await this.#write(actor, steps, names, stateOf(stored.rows));
      if (written !== null) return { kind: "planned", plan: written, applied: true };
    }
    return { kind: "overtaken" };
  }

  /** What is wrong with the webhooks themselves, up to MAX_PROBLEMS. */
  async #problemsOf(actor: Actor, webhooks: readonly WebhookToApply[]): Promise<ErrorDetail[]> {
    const check = await this.#options.webhooks.checker(actor);
    const details = repeatedNames(webhooks);
    for (const [index, fields] of webhooks.entries()) {
      if (details.length >= MAX_PROBLEMS) break;
      details.push(...placed(check(fields), index));
      await nextTurn();
    }
    return details.slice(0, MAX_PROBLEMS);
  }

  /** @param keepOthers false when the webhooks that the file does not name are to be deleted */
  async #plan(
    stored: Stored,
    actor: Actor,
    webhooks: readonly WebhookToApply[],
    keepOthers: boolean,
    budget: WarningBudget,
  ): Promise<{ kind: "steps"; steps: Step[] } | Extract<Applied, { details: unknown }>> {
    const ambiguous = ambiguousNames(webhooks, stored.rows);
    if (ambiguous.length > 0) return { kind: "ambiguous", details: ambiguous.slice(0, MAX_PROBLEMS) };
    const byName = new Map(stored.rows.map((row) => [row.configuration.name, row]));
    const details: ErrorDetail[] = [];
    const steps: Step[] = [];
    for (const [index, fields] of webhooks.entries()) {
      const before = byName.get(fields.name);
      const declared = before === undefined ? fields : declaredFields(fields);
      const problems = checkWithStored(declared, before?.configuration ?? {});
      details.push(...placed(problems, index));
      if (details.length >= MAX_PROBLEMS) break;
      if (problems.length > 0) continue;
      steps.push(
        before === undefined
          ? this.#creation(fields, budget)
          : await this.#update(actor, before, declared, stored.secretsOf(before), budget),
      );
      await nextTurn();
    }
    if (details.length > 0) return { kind: "invalid", details: details.slice(0, MAX_PROBLEMS) };
    return { kind: "steps", steps: [...steps, ...(keepOthers ? [] : deletionsOf(webhooks, stored.rows))] };
  }

  #creation(fields: WebhookToApply, budget: WarningBudget): Step {
    const warnings = this.#options.warningsOf(applyFields({}, fields), budget);
    const planned = { name: fields.name, action: "create", changes: creationOf(fields), warnings } as const;
    return { kind: "create", fields, planned };
  }

  async #update(
    actor: Actor,
    before: WebhookRow,
    declared: WebhookChange,
    stored: readonly StoredSecretRow[],
    budget: WarningBudget,
  ): Promise<Step> {
    const nowMs = this.#options.clock.nowMs();
    const holds = this.#options.webhooks.holder(actor);
    const fields = { ...declared };
    const { secret } = fields;
    if (secret === MASK || (secret && (await isInRotation(secret, stored, holds, nowMs)))) delete fields.secret;
    const configuration = applyFields(before.configuration, fields);
    const after: WebhookRow = { ...before, ...statusAfter(before, fields.active), configuration };
    const changes = changesOf(before, after, await changedSecrets(fields, configuration, stored, holds, nowMs));
    const action = Object.keys(changes).length === 0 ? "unchanged" : "update";
    const planned = {
      name: before.configuration.name ?? null,
      action,
      id: idOf(before),
      changes,
      warnings: this.#options.warningsOf(configuration, budget),
    } as const;
    return action === "unchanged" ? { kind: "unchanged", planned } : { kind: "update", before, fields, planned };
  }

  /** @returns null when somebody changed one of these webhooks since they were read: nothing was written */
  async #write(
    actor: Actor,
    steps: readonly Step[],
    names: readonly string[] | null,
    stateRead: string,
  ): Promise<AppliedWebhook[] | null> {
    const { webhooks } = this.#options;
    // Before the transaction: it holds the lock that every change of a webhook waits for.
    const secrets = new Map<Step, PreparedSecrets>();
    for (const step of steps) {
      if (step.kind === "create") secrets.set(step, await webhooks.prepareSecrets(actor, withSecret(step.fields)));
      if (step.kind === "update") secrets.set(step, await webhooks.prepareSecrets(actor, step.fields));
    }
    return webhooks.inOneChange<AppliedWebhook[] | null>(actor, async (change) => {
      // Under that lock nobody else changes a webhook any more.
      const now = await read(change.db, actor, names);
      if (stateOf(now.rows) !== stateRead) return undo<null>(null);
      if (await namesGone(change.db, actor, steps)) return undo<null>(null);
      const changes = new WebhookChanges(change, actor);
      const written: AppliedWebhook[] = [];
      for (const step of steps) written.push(await addStep(changes, step, secrets.get(step), now));
      await changes.store();
      return written;
    });
  }
}

/** Whether a rule or a code table that was there when the file was checked has been deleted since. */
async function namesGone(db: Executor, { tenantUuid }: Actor, steps: readonly Step[]): Promise<boolean> {
  const using = steps.flatMap((step) => (step.kind === "create" || step.kind === "update" ? usesIn(step.fields) : []));
  return using.length > 0 && undefinedUses(using, await readDefinitionNames(db, tenantUuid)).length > 0;
}

async function read(db: Executor, actor: Actor, names: readonly string[] | null): Promise<Stored> {
  const rows = await selectWebhooksByName(db, actor.tenantUuid, actor.livemode, names);
  const uuids = rows.map((row) => row.id);
  const byWebhook = new Map<string, StoredSecretRow[]>();
  for (const secret of await selectSecrets(db, actor.tenantUuid, uuids)) {
    const others = byWebhook.get(secret.webhook_id);
    if (others === undefined) byWebhook.set(secret.webhook_id, [secret]);
    else others.push(secret);
  }
  return { rows, secretsOf: (row) => byWebhook.get(row.id) ?? [] };
}

async function addStep(
  changes: WebhookChanges,
  step: Step,
  secrets: PreparedSecrets | undefined,
  now: Stored,
): Promise<AppliedWebhook> {
  if (step.kind === "unchanged") return step.planned;
  if (step.kind === "delete") {
    changes.remove(step.before);
    return step.planned;
  }
  if (secrets === undefined) throw new Error("secrets are prepared for everything that is written");
  if (step.kind === "update") {
    await changes.change(step.before, step.fields, secrets, now.secretsOf(step.before));
    return step.planned;
  }
  const row = changes.create(step.fields, secrets);
  const { signing } = secrets;
  return { ...step.planned, id: idOf(row), ...(signing === null || signing.wasGiven ? {} : signing.view) };
}

/** A new webhook gets a signing secret in any case. */
function withSecret(fields: WebhookToApply): WebhookToApply {
  return { ...fields, secret: fields.secret ?? null };
}

function deletionsOf(webhooks: readonly WebhookToApply[], existing: readonly WebhookRow[]): Step[] {
  const kept = new Set<string | undefined>(webhooks.map(({ name }) => name));
  return existing
    .filter((row) => row.configuration.name === undefined || !kept.has(row.configuration.name))
    .map((before) => {
      const name = before.configuration.name ?? null;
      const changes = { url: { from: before.configuration.url, to: null } };
      return { kind: "delete", before, planned: { name, action: "delete", id: idOf(before), changes, warnings: [] } };
    });
}

/** Changes whenever one of the webhooks does, or another one comes or goes. */
function stateOf(rows: readonly WebhookRow[]): string {
  return rows.map((row) => `${row.id} ${webhookEtag(row)}`).join("\n");
}

function idOf(row: WebhookRow): Id<"webhook"> {
  return idFromUuid("webhook", row.id);
}
