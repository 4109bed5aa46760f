// Rotating a signing secret with an overlap: the new one comes beside the old one, is switched to when its owner says
// so, and stays alone when the overlap ends, by itself. Must never show a secret twice, nor leave a webhook without one.
import { type ErrorDetail, idFromUuid } from "@posthorn/contract";
import { MASK } from "../lib/masking.ts";
import type { Actor } from "./actor.ts";
import { type Change, entryBy, undo } from "./change.ts";
import { matchesEtag } from "./webhook-change.ts";
import { secretProblem } from "./webhook-secret.ts";
import { type PreparedSecrets, type SecretWrites, type SigningState, signingState } from "./webhook-secrets.ts";
import { selectSecrets, type StoredSecretRow, updateSecret } from "./webhook-secrets.sql.ts";
import { webhookEtag, webhookView } from "./webhook-view.ts";
import { insertNextSecret, WebhookWrites } from "./webhook-writes.ts";
import type { Webhooks, Written } from "./webhooks.ts";
import { selectWebhook, type WebhookRow } from "./webhooks.sql.ts";

export const DEFAULT_OVERLAP_SECONDS = 86_400;
export const MAX_OVERLAP_SECONDS = 604_800;

export interface SecretRotationsOptions {
  readonly webhooks: Pick<Webhooks, "prepareSecrets" | "inOneChange">;
}

export type Rotated =
  | Written
  /** A rotation is under way already. */
  | { readonly kind: "under_way"; readonly overlapEndsAtMs: number; readonly isSwitched: boolean };

export type Switched = Written | { readonly kind: "none_under_way" };

/** What both changes begin with. */
interface Begun {
  readonly before: WebhookRow;
  readonly stored: readonly StoredSecretRow[];
  readonly state: SigningState;
}

export class SecretRotations {
  readonly #webhooks: SecretRotationsOptions["webhooks"];

  constructor(options: SecretRotationsOptions) {
    this.#webhooks = options.webhooks;
  }

  /**
   * Brings a new signing secret; it is in the outcome, this once. Until the overlap ends profiles that carry several
   * signatures sign with both secrets, the others with the old one until `switchOver`. An overlap of nothing replaces
   * the secret at once, also during a rotation.
   * @param wish `secret` null makes one
   */
  async rotate(
    actor: Actor,
    webhookUuid: string,
    wish: { readonly secret: string | null; readonly overlapSeconds: number },
    ifMatch: string | undefined,
  ): Promise<Rotated> {
    const problem = wish.secret === null ? null : secretProblem(wish.secret);
    if (problem !== null) return invalid(problem);
    const secrets = await this.#webhooks.prepareSecrets(actor, { secret: wish.secret });
    return this.#webhooks.inOneChange<Rotated>(actor, async (change) => {
      const begun = await begin(change, actor, webhookUuid, ifMatch);
      const { rotation, current } = begun.state;
      if (wish.overlapSeconds > 0 && rotation !== null) {
        const { overlapEndsAtMs, isSwitched } = rotation;
        return undo<Rotated>({ kind: "under_way", overlapEndsAtMs, isSwitched });
      }
      if (wish.secret !== null && current !== null && (await secrets.holds(current, wish.secret))) {
        return undo<Rotated>(invalid("This is the secret in force. Give another one, or none to have one made."));
      }
      return storeRotation(change, actor, begun, secrets, wish.overlapSeconds);
    });
  }

  /** Profiles with room for one signature use the new secret from now on; the old one still signs beside it elsewhere. */
  async switchOver(actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<Switched> {
    return this.#webhooks.inOneChange<Switched>(actor, async (change) => {
      const { before, state } = await begin(change, actor, webhookUuid, ifMatch);
      const { rotation } = state;
      if (rotation === null) return undo<Switched>({ kind: "none_under_way" });
      if (rotation.isSwitched) return undo<Switched>(written(before, null));
      const after = nextVersion(change, before);
      if (before.rotation) after.rotation = { ...before.rotation, is_switched: true };
      await storeVersion(change, actor, after, NOTHING);
      const { tenantUuid } = actor;
      const { old, fresh, overlapEndsAtMs } = rotation;
      // The place of `signing` is freed first: each has room for one secret.
      const retiring = { purpose: "signing_previous", validUntilMs: overlapEndsAtMs } as const;
      await updateSecret(change.db, { tenantUuid, uuid: old.id, ...retiring });
      await updateSecret(change.db, { tenantUuid, uuid: fresh.id, purpose: "signing", validUntilMs: null });
      await audit(change, actor, "webhook.secret_switched", before, after, {
        secretRotation: { from: { switched: false }, to: { switched: true } },
      });
      return written(after, null);
    });
  }
}

const NOTHING = { signing: null, texts: [], obsoleteUuids: [] } as const;

async function storeVersion(change: Change, actor: Actor, after: WebhookRow, secrets: SecretWrites): Promise<void> {
  const writes = new WebhookWrites(actor, change.configVersion, change.atMs);
  writes.change(after, true, secrets);
  await writes.store(change.db);
}

async function begin(change: Change, actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<Begun> {
  const before = await selectWebhook(change.db, actor.tenantUuid, actor.livemode, webhookUuid);
  if (before === null) return undo<Written>({ kind: "absent" });
  const etag = webhookEtag(before);
  if (!matchesEtag(ifMatch, etag)) return undo<Written>({ kind: "stale", etag });
  const stored = await selectSecrets(change.db, actor.tenantUuid, [webhookUuid]);
  return { before, stored, state: signingState(stored, change.atMs) };
}

async function storeRotation(
  change: Change,
  actor: Actor,
  { before, stored, state }: Begun,
  secrets: PreparedSecrets,
  overlapSeconds: number,
): Promise<Written> {
  const { db, atMs } = change;
  const { signing } = secrets;
  if (signing === null) throw new Error("a rotation without a new secret");
  const kept = overlapSeconds === 0 ? null : state.current;
  const after = nextVersion(change, before);
  const ofSigning = stored.filter((row) => row.purpose !== "auth" && row.purpose !== "header");
  const obsoleteUuids = ofSigning.filter((row) => row.id !== kept?.id).map((row) => row.id);
  if (kept === null) {
    after.rotation = null;
    await storeVersion(change, actor, after, { signing, texts: [], obsoleteUuids });
    await audit(change, actor, "webhook.secret_rotated", before, after, { secret: { from: MASK, to: MASK } });
    return written(after, signing.view);
  }
  // A whole second: a request's second says which secrets sign it.
  const endsAtMs = Math.ceil(atMs / 1_000 + overlapSeconds) * 1_000;
  after.rotation = { started_ms: atMs, overlap_ends_ms: endsAtMs, is_switched: false };
  await storeVersion(change, actor, after, { ...NOTHING, obsoleteUuids });
  const { tenantUuid } = actor;
  await updateSecret(db, { tenantUuid, uuid: kept.id, purpose: "signing", validUntilMs: endsAtMs });
  await insertNextSecret(db, actor, after, signing);
  await audit(change, actor, "webhook.secret_rotated", before, after, {
    secret: { from: MASK, to: MASK },
    overlapEndsAt: { from: null, to: new Date(endsAtMs).toISOString() },
  });
  return written(after, signing.view);
}

/** The secret is part of what a version stands for: which one signed an attempt can be told by its version. */
function nextVersion(change: Change, before: WebhookRow): WebhookRow {
  return {
    ...before,
    version: before.version + 1,
    config_version: change.configVersion,
    updated_at: new Date(change.atMs),
  };
}

function written(row: WebhookRow, secret: Extract<Written, { kind: "written" }>["secret"]): Written {
  return { kind: "written", webhook: webhookView(row), etag: webhookEtag(row), secret };
}

function invalid(message: string): Written {
  const details: ErrorDetail[] = [{ field: "secret", message, code: "INVALID_VALUE" }];
  return { kind: "invalid", details };
}

async function audit(
  change: Change,
  actor: Actor,
  action: string,
  before: WebhookRow,
  after: WebhookRow,
  members: Readonly<Record<string, unknown>>,
): Promise<void> {
  const configVersion = { from: before.config_version, to: after.config_version };
  const id = idFromUuid("webhook", before.id);
  await change.audit(entryBy(actor, action, "webhook", id, { ...members, configVersion }));
}
