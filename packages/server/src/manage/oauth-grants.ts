// What programs were allowed to do (OAuth grants): a code, then an access token that lives an hour and a refresh token
// that is used once. Rules: RFC 6749, PKCE (RFC 7636, S256 only), RFC 7009, and RFC 9700 on tokens that are used twice.
// Must never hand out more than the key that allowed it may do, nor outlive it, nor store a code or token as text.
import { createHash, hash, timingSafeEqual } from "node:crypto";
import { type Id, idFromUuid, uuidFromBytes, uuidFromId } from "@posthorn/contract";
import type pg from "pg";
import { lastCharactersOf, mintOauthText, type OauthTextKind } from "../security/api-keys.ts";
import { asTenant, inTransaction } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type Attribution, type Change, changeConfiguration, type ChangeOptions, entryBy, undo } from "./change.ts";
import { selectOauthClient } from "./oauth-clients.sql.ts";
import type { KnownClient } from "./oauth-clients.ts";
import {
  type GrantInList,
  type Holding,
  insertGrant,
  lockGrant,
  type OauthGrantRow,
  revokeGrants,
  selectGrantOfToken,
  selectGrants,
  selectHeldGrant,
  showWhatIsHeld,
  updateGrantTokens,
  upsertAccessToken,
} from "./oauth-grants.sql.ts";

export interface OauthGrantsOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  /** Fills its argument with random bytes fit for keys. */
  readonly random: (target: Uint8Array) => void;
}

/** What a program asked for, checked: `redirectUri` is one of its own. */
export interface AskedGrant {
  readonly client: KnownClient;
  readonly scopes: readonly string[];
  readonly redirectUri: string;
  /** BASE64URL(SHA-256(verifier)), 43 characters. */
  readonly codeChallenge: string;
}

export type TokensIssued =
  | {
      readonly kind: "issued";
      readonly accessToken: string;
      readonly refreshToken: string;
      readonly expiresInSeconds: number;
      readonly scopes: readonly string[];
    }
  /** Unknown, used, expired, revoked, of another program, with another verifier: the holder is not told which. */
  | { readonly kind: "refused" };

export interface GrantView {
  readonly id: Id<"oauthGrant">;
  readonly clientId: Id<"oauthClient">;
  /** Null when the program was removed. */
  readonly clientName: string | null;
  readonly grantedBy: Id<"apiKey">;
  readonly scopes: readonly string[];
  readonly status: "active" | "expired" | "revoked";
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

const CODE_LIFE_MS = 60_000;
const ACCESS_TOKEN_LIFE_SECONDS = 3_600;
/** Without a refresh for so long, the program has to ask again. */
const REFRESH_TOKEN_LIFE_MS = 30 * 86_400_000;

export class OauthGrants {
  readonly #options: OauthGrantsOptions;

  constructor(options: OauthGrantsOptions) {
    this.#options = options;
  }

  /** Somebody allowed it, with the key that acts. @returns the code, which is good for a minute and once */
  async allow(actor: Actor, asked: AskedGrant): Promise<string> {
    const { text, digest } = this.#mint("code");
    const uuid = uuidFromBytes(this.#options.newId());
    await this.#inTenant(actor.tenantUuid, async (change) => {
      await insertGrant(change.db, {
        tenantUuid: actor.tenantUuid,
        uuid,
        clientUuid: uuidFromId("oauthClient", asked.client.id),
        grantedByUuid: uuidFromId("apiKey", actor.keyId as Id<"apiKey">),
        atMs: change.atMs,
        codeExpiresAtMs: change.atMs + CODE_LIFE_MS,
        scopes: asked.scopes,
        codeHash: digest,
        codeChallenge: asked.codeChallenge,
        redirectUri: asked.redirectUri,
      });
      const id = idFromUuid("oauthGrant", uuid);
      const members = { client: asked.client.id, scopes: asked.scopes };
      await change.audit(entryBy(actor, "oauth_grant.created", "oauth_grant", id, members));
    });
    return text;
  }

  /** A code for tokens. A code that comes a second time has leaked: its grant ends (RFC 6749, 4.1.2). */
  async exchange(
    request: {
      readonly code: string;
      readonly clientId: string;
      readonly redirectUri: string;
      readonly verifier: string;
    },
    requestId: string,
  ): Promise<TokensIssued> {
    return this.#redeem(request.code, requestId, (grant, holding, atMs) => {
      if (holding !== "code" || idFromUuid("oauthClient", grant.client_id) !== request.clientId) return "refused";
      if (grant.code_used_at !== null) return "used_twice";
      const isInTime = atMs < grant.code_expires_at.getTime();
      const isHolder = isVerifierOf(request.verifier, grant.code_challenge);
      return isInTime && isHolder && grant.redirect_uri === request.redirectUri ? "good" : "refused";
    });
  }

  /** A refresh token for new tokens; the one before counts no more, and used again it ends the grant (RFC 9700, 4.14). */
  async refresh(
    request: { readonly refreshToken: string; readonly clientId: string },
    requestId: string,
  ): Promise<TokensIssued> {
    return this.#redeem(request.refreshToken, requestId, (grant, holding, atMs) => {
      if (holding === "code" || idFromUuid("oauthClient", grant.client_id) !== request.clientId) return "refused";
      if (holding === "used_refresh_token") return "used_twice";
      return grant.refresh_expires_at !== null && atMs < grant.refresh_expires_at.getTime() ? "good" : "refused";
    });
  }

  /** Ends the grant of an access or refresh token. What is unknown is as good as ended (RFC 7009, 2.2). */
  async revokeByToken(token: string, requestId: string): Promise<void> {
    const digest = digestOf(token);
    const grant = await inTransaction(this.#options.api, async (db) => {
      await showWhatIsHeld(db, digest);
      const held = await selectHeldGrant(db, digest);
      if (held !== null) return held.holding === "code" ? null : held;
      return selectGrantOfToken(db, digest);
    });
    if (grant === null) return;
    const who = { tenantUuid: grant.tenant_id, keyId: idFromUuid("apiKey", grant.id), requestId };
    await this.#end(who, grant.id);
  }

  /** @returns false when there is no such grant that has not ended */
  async revoke(actor: Actor, uuid: string): Promise<boolean> {
    return this.#end(actor, uuid);
  }

  /** Grants that were taken up, below an id, newest first. */
  async list(
    actor: Actor,
    filter: { readonly beforeUuid: string; readonly clientUuid: string | null },
    limit: number,
  ): Promise<GrantView[]> {
    const { tenantUuid } = actor;
    const rows = await asTenant(this.#options.api, tenantUuid, (db) => selectGrants(db, tenantUuid, filter, limit));
    const nowMs = this.#options.clock.nowMs();
    return rows.map((row) => viewOf(row, nowMs));
  }

  async #redeem(
    text: string,
    requestId: string,
    judge: (grant: OauthGrantRow, holding: Holding, atMs: number) => "good" | "refused" | "used_twice",
  ): Promise<TokensIssued> {
    const digest = digestOf(text);
    const held = await inTransaction(this.#options.api, async (db) => {
      await showWhatIsHeld(db, digest);
      return selectHeldGrant(db, digest);
    });
    if (held === null) return { kind: "refused" };
    const who = { tenantUuid: held.tenant_id, keyId: idFromUuid("apiKey", held.id), requestId };
    return this.#inTenant(held.tenant_id, async (change): Promise<TokensIssued> => {
      const grant = await lockGrant(change.db, held.tenant_id, held.id);
      if (grant === null || grant.revoked_at !== null) return undo<TokensIssued>({ kind: "refused" });
      // Whether it is still that: the same text may have been redeemed while we waited for the lock.
      await showWhatIsHeld(change.db, digest);
      const now = await selectHeldGrant(change.db, digest);
      const verdict = now === null ? "refused" : judge(grant, now.holding, change.atMs);
      if (verdict === "used_twice") await endGrant(change, who, held.id);
      if (verdict === "refused") return undo<TokensIssued>({ kind: "refused" });
      return verdict === "good" ? this.#issue(change, grant) : { kind: "refused" };
    });
  }

  async #issue(change: Change, grant: OauthGrantRow): Promise<TokensIssued> {
    const { db, atMs, configVersion } = change;
    const { tenant_id: tenantUuid, id: grantUuid, scopes } = grant;
    const client = await selectOauthClient(db, tenantUuid, grant.client_id);
    if (client === null) return undo<TokensIssued>({ kind: "refused" });
    const access = this.#mint("accessToken");
    const refresh = this.#mint("refreshToken");
    const isUsable = await upsertAccessToken(db, {
      tenantUuid,
      grantUuid,
      grantedByUuid: grant.granted_by,
      atMs,
      expiresAtMs: atMs + ACCESS_TOKEN_LIFE_SECONDS * 1_000,
      configVersion,
      hash: access.digest,
      name: `OAuth: ${client.name}`,
      lastCharacters: lastCharactersOf(access.text),
      scopes,
    });
    if (!isUsable) return undo<TokensIssued>({ kind: "refused" });
    await updateGrantTokens(db, tenantUuid, grantUuid, {
      refreshHash: refresh.digest,
      expiresAtMs: atMs + REFRESH_TOKEN_LIFE_MS,
      atMs,
    });
    return {
      kind: "issued",
      accessToken: access.text,
      refreshToken: refresh.text,
      expiresInSeconds: ACCESS_TOKEN_LIFE_SECONDS,
      scopes,
    };
  }

  #end(who: Attribution, grantUuid: string): Promise<boolean> {
    return this.#inTenant(who.tenantUuid, async (change) =>
      (await endGrant(change, who, grantUuid)) ? true : undo<boolean>(false),
    );
  }

  #mint(kind: OauthTextKind): { text: string; digest: Buffer } {
    const text = mintOauthText(kind, this.#options.random);
    return { text, digest: digestOf(text) };
  }

  #inTenant<Outcome>(tenantUuid: string, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, tenantUuid, run), work);
  }
}

/** The grants that a key allowed end with it. Called inside the change that revokes the key. */
export async function endGrantsOfKey(change: Change, who: Attribution, keyUuid: string): Promise<void> {
  const ended = await revokeGrants(
    change.db,
    who.tenantUuid,
    { grantedByUuid: keyUuid },
    change.atMs,
    change.configVersion,
  );
  if (ended.length === 0) return;
  await change.audit(...ended.map((uuid) => endedEntry(who, uuid)));
}

async function endGrant(change: Change, who: Attribution, grantUuid: string): Promise<boolean> {
  const ended = await revokeGrants(change.db, who.tenantUuid, { grantUuid }, change.atMs, change.configVersion);
  if (ended.length === 0) return false;
  await change.audit(endedEntry(who, grantUuid));
  return true;
}

function endedEntry(who: Attribution, grantUuid: string): ReturnType<typeof entryBy> {
  return entryBy(who, "oauth_grant.revoked", "oauth_grant", idFromUuid("oauthGrant", grantUuid), {});
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}

/** PKCE, S256. */
function isVerifierOf(verifier: string, challenge: string): boolean {
  const computed = Buffer.from(hash("sha256", verifier, "base64url"));
  const expected = Buffer.from(challenge);
  return computed.length === expected.length && timingSafeEqual(computed, expected);
}

function viewOf(row: GrantInList, nowMs: number): GrantView {
  const isExpired = row.refresh_expires_at !== null && row.refresh_expires_at.getTime() <= nowMs;
  return {
    id: idFromUuid("oauthGrant", row.id),
    clientId: idFromUuid("oauthClient", row.client_id),
    clientName: row.client_name,
    grantedBy: idFromUuid("apiKey", row.granted_by),
    scopes: row.scopes,
    status: row.revoked_at !== null ? "revoked" : isExpired ? "expired" : "active",
    createdAt: row.created_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  };
}
