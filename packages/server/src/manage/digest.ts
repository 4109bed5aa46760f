// Who is told by e-mail and chat what operational events say: reading, changing, trying it. The chat's URL is a secret (who
// has it can write there), so it is stored encrypted and shown by its host alone.
import { idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { MASK } from "../lib/masking.ts";
import { chatFormOf, type DigestsOptions, recipientsOf, testDigest, type Told } from "../maintain/digest/digests.ts";
import { type ChatForm, chatBody } from "../maintain/digest/words.ts";
import type { Vault } from "../security/vault.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type Change, changeConfiguration, changedMembers, type ChangeOptions, entryBy, undo } from "./change.ts";
import { type DigestRow, selectDigest, upsertChat, upsertEmails } from "./digest.sql.ts";

export interface DigestSettingsOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  /** Engine role: encrypts. */
  readonly engine: Executor;
  readonly vault: Pick<Vault, "encryptSecret">;
  readonly checkUrl: (url: string) => { readonly ok: true } | { readonly ok: false; code: string; message: string };
  readonly telling: Pick<DigestsOptions, "sendMail" | "sendChat" | "openChatUrl">;
}

export interface DigestFields {
  /** Null: the administrator's address; empty: nobody. */
  readonly emails?: readonly string[] | null | undefined;
  /** Null: none. The masked URL as it was shown: as it is. */
  readonly chatUrl?: string | null | undefined;
  /** Null: by the URL's host. */
  readonly chatForm?: ChatForm | null | undefined;
}

export interface ChannelView {
  readonly lastSentAt: string | null;
  readonly failingSince: string | null;
  readonly nextAttemptAt: string | null;
  readonly problem: string | null;
}

export interface DigestView {
  readonly emails: readonly string[] | null;
  readonly emailsInForce: readonly string[];
  readonly mailServer: boolean;
  readonly chatUrl: string | null;
  readonly chatForm: ChatForm | null;
  readonly waitingEvents: number;
  readonly email: ChannelView;
  readonly chat: ChannelView;
}

export type DigestChanged =
  | { readonly kind: "changed"; readonly digest: DigestView }
  | { readonly kind: "refused"; readonly code: string; readonly message: string };

/** Of each way what came of it; null where nobody is to be told. */
export type DigestTested =
  | { readonly kind: "tested"; readonly email: Told | null; readonly chat: Told | null }
  | { readonly kind: "too_soon"; readonly waitS: number };

const TEST_EVERY_MS = 10_000;
const TESTED_KEPT = 10_000;

export class DigestSettings {
  readonly #options: DigestSettingsOptions;
  /** By tenant: when somebody tried it last. */
  readonly #testedAtMs = new Map<string, number>();

  constructor(options: DigestSettingsOptions) {
    this.#options = options;
  }

  async get({ tenantUuid }: Actor): Promise<DigestView> {
    return this.#view(await asTenant(this.#options.api, tenantUuid, (db) => rowOf(db, tenantUuid)));
  }

  /** Fields given are replaced. */
  async change(actor: Actor, fields: DigestFields): Promise<DigestChanged> {
    const { tenantUuid } = actor;
    const { api, checkUrl } = this.#options;
    const url = fields.chatUrl;
    const given = typeof url === "string" && !url.endsWith(MASK) ? url : null;
    if (given !== null) {
      const check = checkUrl(given);
      if (!check.ok) return { kind: "refused", code: check.code, message: check.message };
    }
    const ciphertext = given === null ? null : await this.#seal(tenantUuid, given);
    const transaction = <Result>(run: (db: Executor) => Promise<Result>): Promise<Result> =>
      asTenant(api, tenantUuid, run);
    return changeConfiguration(this.#options, transaction, async (change): Promise<DigestChanged> => {
      const before = await rowOf(change.db, tenantUuid);
      if (typeof url === "string" && given === null && url !== maskedUrl(before)) {
        return undo<DigestChanged>({
          kind: "refused",
          code: "URL_INVALID",
          message: "This is the masked form of another URL. Give the whole URL.",
        });
      }
      await this.#store(change, actor, before, fields, { given, ciphertext });
      return { kind: "changed", digest: this.#view(await rowOf(change.db, tenantUuid)) };
    });
  }

  async #store(
    change: Change,
    actor: Actor,
    before: DigestRow,
    { emails, chatUrl, chatForm }: DigestFields,
    { given, ciphertext }: { readonly given: string | null; readonly ciphertext: string | null },
  ): Promise<void> {
    const { tenantUuid } = actor;
    const after = {
      emails: emails === undefined ? before.emails : emails,
      chatUrl: given !== null ? maskedHost(new URL(given).host) : chatUrl === null ? null : maskedUrl(before),
      chatForm: chatUrl === null ? null : chatForm === undefined ? before.chat_form : chatForm,
    };
    const was = { emails: before.emails, chatUrl: maskedUrl(before), chatForm: before.chat_form };
    const members: Record<string, unknown> = changedMembers(was, after);
    // Another URL at the same host looks the same.
    if (given !== null) members["chatUrl"] = { from: was.chatUrl, to: after.chatUrl };
    if (Object.keys(members).length === 0) {
      undo<DigestChanged>({ kind: "changed", digest: this.#view(before) });
    }
    if ("emails" in members) await upsertEmails(change.db, tenantUuid, after.emails, change.atMs);
    if ("chatUrl" in members || "chatForm" in members) {
      const host = given === null ? before.chat_host : new URL(given).host;
      const chat =
        after.chatUrl === null
          ? { form: null, host: null, ciphertext: null }
          : { form: after.chatForm, host, ciphertext: ciphertext ?? before.chat_ciphertext };
      await upsertChat(change.db, tenantUuid, chat, change.atMs);
    }
    await change.audit(entryBy(actor, "digest.updated", "digest", idFromUuid("tenant", tenantUuid), members));
  }

  /** Sends a digest that says that it is a test, to everybody who would get one. */
  async test({ tenantUuid }: Actor): Promise<DigestTested> {
    const { clock, api, telling } = this.#options;
    const nowMs = clock.monotonicMs();
    const waitMs = (this.#testedAtMs.get(tenantUuid) ?? Number.NEGATIVE_INFINITY) + TEST_EVERY_MS - nowMs;
    if (waitMs > 0) return { kind: "too_soon", waitS: Math.ceil(waitMs / 1_000) };
    if (this.#testedAtMs.size >= TESTED_KEPT) this.#testedAtMs.clear();
    this.#testedAtMs.set(tenantUuid, nowMs);
    const row = await asTenant(api, tenantUuid, (db) => rowOf(db, tenantUuid));
    const { summary, frame, mail } = testDigest({ name: row.name, timeZone: row.time_zone }, clock.nowMs());
    const to = recipientsOf(row);
    const byMail =
      to.length === 0 || telling.sendMail === undefined
        ? null
        : telling.sendMail({ to, ...mail, messageKey: `test-${Math.round(clock.nowMs())}` });
    const byChat =
      row.chat_ciphertext === null ? null : this.#tellChat(tenantUuid, row.chat_ciphertext, row, { summary, frame });
    return { kind: "tested", email: await byMail, chat: await byChat };
  }

  async #tellChat(
    tenantUuid: string,
    ciphertext: string,
    row: DigestRow,
    { summary, frame }: Pick<ReturnType<typeof testDigest>, "summary" | "frame">,
  ): Promise<Told> {
    const url = await this.#options.telling.openChatUrl(tenantUuid, ciphertext);
    return this.#options.telling.sendChat(url, chatBody(summary, frame, row.chat_form ?? chatFormOf(url)));
  }

  #seal(tenantUuid: string, plaintext: string): Promise<string> {
    const place = { tenantUuid, table: "digest_channel", column: "chat_ciphertext", rowId: "chat" };
    return this.#options.vault.encryptSecret(this.#options.engine, { ...place, plaintext });
  }

  #view(row: DigestRow): DigestView {
    return {
      emails: row.emails,
      emailsInForce: this.#options.telling.sendMail === undefined ? [] : recipientsOf(row),
      mailServer: this.#options.telling.sendMail !== undefined,
      chatUrl: maskedUrl(row),
      chatForm: row.chat_form,
      waitingEvents: row.waiting_count,
      email: channelView(row.email_sent_at, row.email_failing_since, row.email_next_attempt_at, row.email_problem),
      chat: channelView(row.chat_sent_at, row.chat_failing_since, row.chat_next_attempt_at, row.chat_problem),
    };
  }
}

async function rowOf(db: Executor, tenantUuid: string): Promise<DigestRow> {
  const row = await selectDigest(db, tenantUuid);
  if (row === null) throw new Error("the tenant of a key is not there");
  return row;
}

function maskedUrl({ chat_host: host }: DigestRow): string | null {
  return host === null ? null : maskedHost(host);
}

/** Paths of such URLs are the password. */
function maskedHost(host: string): string {
  return `https://${host}/${MASK}`;
}

function channelView(sentAt: Date | null, failingSince: Date | null, nextAt: Date | null, problem: string | null) {
  return {
    lastSentAt: sentAt?.toISOString() ?? null,
    failingSince: failingSince?.toISOString() ?? null,
    nextAttemptAt: failingSince === null ? null : (nextAt?.toISOString() ?? null),
    problem,
  };
}
