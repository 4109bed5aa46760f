// Tells people what operational events say: a digest by mail and one to a chat, for each tenant. Any node does it; the row
// of the channel is the claim. Must never tell more often than the pace says, nor forget what could not be told yet; a
// node that dies between sending and writing it down is the one case in which a digest goes out twice.
import { createHash } from "node:crypto";
import { idFromUuid } from "@posthorn/contract";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Executor } from "../../storage/pools.ts";
import {
  type ClaimedChannel,
  claimDueChannels,
  dropOldEntries,
  type EntryRow,
  failChannel,
  finishChannel,
  hasDigestEntries,
  selectDueEntries,
} from "./digests.sql.ts";
import { CLAIM_MS, INTERVAL_MS, KEPT_MS, retryDelayMs, SETTLE_MS } from "./pace.ts";
import { clockworkOf } from "./phrases.ts";
import { summarise, type Summary } from "./summary.ts";
import { type ChatForm, chatBody, type Frame, type MailWords, mailWords } from "./words.ts";

/** `problem`: a sentence without a secret; of a digest that went out it says what was wrong all the same. */
export type Told =
  | { readonly kind: "told"; readonly problem: string | null }
  | { readonly kind: "failed"; readonly problem: string };

/** A mail to people. */
export interface DigestMail extends MailWords {
  readonly to: readonly string[];
  /** The same digest has the same: mail servers know it again. */
  readonly messageKey: string;
}

export interface DigestsOptions {
  readonly engine: Executor;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: no mail server is set. */
  readonly sendMail: ((mail: DigestMail) => Promise<Told>) | undefined;
  readonly sendChat: (url: string, body: Buffer) => Promise<Told>;
  /** Decrypts the URL of a tenant's chat. */
  readonly openChatUrl: (tenantUuid: string, ciphertext: string) => Promise<string>;
}

const CHANNELS_PER_RUN = 20;
/** More than people read; the rest is counted. */
const ENTRIES_PER_DIGEST = 500;

/** Tells what is due; how many digests went out. */
export async function tellPeople(options: DigestsOptions): Promise<number> {
  const { engine, clock, log } = options;
  if (!(await hasDigestEntries(engine))) return 0;
  const given = await dropOldEntries(engine, clock.nowMs() - KEPT_MS);
  if (given > 0) {
    log.error(
      { events: given },
      "operational events could not be told by e-mail or chat for 3 days: they are given up",
    );
  }
  const nowMs = clock.nowMs();
  const times = { nowMs, settledMs: nowMs - SETTLE_MS, intervalMs: INTERVAL_MS, claimMs: CLAIM_MS };
  let toldCount = 0;
  // One after the other: a mail server is no place for a burst.
  for (const channel of await claimDueChannels(engine, times, CHANNELS_PER_RUN)) {
    if (await tell(options, channel)) toldCount += 1;
  }
  return toldCount;
}

async function tell(options: DigestsOptions, claimed: ClaimedChannel): Promise<boolean> {
  const { engine, clock, log } = options;
  const { tenant_id: tenantUuid, channel } = claimed;
  const rows = await selectDueEntries(engine, tenantUuid, channel, ENTRIES_PER_DIGEST + 1);
  const told = { tenantUuid, channel, entryIds: rows.map((row) => row.id) };
  const words = digestOf(claimed, rows.slice(0, ENTRIES_PER_DIGEST), Math.max(0, rows.length - ENTRIES_PER_DIGEST));
  const outcome = await send(options, claimed, words, told.entryIds);
  const nowMs = clock.nowMs();
  const tenant = idFromUuid("tenant", tenantUuid);
  switch (outcome.kind) {
    case "told":
      await finishChannel(engine, told, nowMs, outcome.problem);
      log.info({ tenant, channel, events: rows.length, problem: outcome.problem }, "people were told by a digest");
      return true;
    case "nobody":
      await finishChannel(engine, told, nowMs, null);
      return false;
    case "failed": {
      const delayMs = retryDelayMs(claimed.failure_count + 1);
      await failChannel(engine, tenantUuid, channel, { nowMs, delayMs }, outcome.problem);
      log.warn(
        { tenant, channel, failures: claimed.failure_count + 1, retryInS: delayMs / 1_000 },
        `a digest could not be sent: ${outcome.problem}`,
      );
      return false;
    }
    default:
      return outcome satisfies never;
  }
}

interface DigestWords {
  readonly summary: Summary;
  readonly frame: Frame;
}

function digestOf(claimed: ClaimedChannel, rows: readonly EntryRow[], leftOutCount: number): DigestWords {
  const clock = clockworkOf(claimed.time_zone);
  const entries = rows.map((row) => ({
    atMs: row.at.getTime(),
    webhookId: row.webhook_id === null ? null : idFromUuid("webhook", row.webhook_id),
    type: row.type,
    object: row.object,
  }));
  const { other_failing_since: since, other_problem: problem, channel } = claimed;
  const other = channel === "email" ? "The chat" : "E-mail";
  const frame = {
    tenantName: claimed.tenant_name,
    timeZone: claimed.time_zone,
    eventCount: entries.length,
    leftOutCount,
    otherProblem:
      since === null ? null : `${other} has not been told since ${clock.time(since.getTime())}: ${problem ?? ""}`,
  };
  return { summary: summarise(entries, claimed.tenant_name, clock), frame };
}

/** `nobody`: there was somebody to tell when it happened, and is not any more. */
async function send(
  options: DigestsOptions,
  { tenant_id: tenantUuid, channel, ...claimed }: ClaimedChannel,
  { summary, frame }: DigestWords,
  entryIds: readonly string[],
): Promise<Told | { readonly kind: "nobody" }> {
  if (entryIds.length === 0) return { kind: "nobody" };
  if (channel === "email") {
    const to = recipientsOf(claimed);
    if (to.length === 0 || options.sendMail === undefined) return { kind: "nobody" };
    return options.sendMail({ to, ...mailWords(summary, frame), messageKey: keyOf(tenantUuid, entryIds) });
  }
  if (claimed.chat_ciphertext === null) return { kind: "nobody" };
  const url = await options.openChatUrl(tenantUuid, claimed.chat_ciphertext);
  return options.sendChat(url, chatBody(summary, frame, claimed.chat_form ?? chatFormOf(url)));
}

/** Those who were chosen, or else the administrator. */
export function recipientsOf(channel: {
  readonly emails: readonly string[] | null;
  readonly administrator_email: string | null;
}): readonly string[] {
  const { emails, administrator_email: administrator } = channel;
  return emails ?? (administrator === null ? [] : [administrator]);
}

/** Teams takes cards; everybody else takes text. */
export function chatFormOf(url: string): ChatForm {
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  return /(^|\.)(logic\.azure\.com|powerplatform\.com|webhook\.office\.com|azure-apihub\.net)$/.test(host)
    ? "card"
    : "text";
}

function keyOf(tenantUuid: string, entryIds: readonly string[]): string {
  return createHash("sha256")
    .update([tenantUuid, ...entryIds].join(" "))
    .digest("hex")
    .slice(0, 32);
}

/** The channel of what a person sends to try it; nothing is claimed and nothing is told as done. */
export function testDigest(
  tenant: { readonly name: string; readonly timeZone: string },
  nowMs: number,
): DigestWords & { readonly mail: MailWords } {
  const clock = clockworkOf(tenant.timeZone);
  const summary: Summary = {
    subject: `[Posthorn] ${tenant.name}: a test`,
    toDo: [],
    toKnow: [
      {
        title: "This is a test: somebody asked for it",
        facts: [`At ${clock.time(nowMs)}. Digests about webhooks in trouble will come here.`],
        steps: [],
      },
    ],
  };
  const frame = {
    tenantName: tenant.name,
    timeZone: tenant.timeZone,
    eventCount: 0,
    leftOutCount: 0,
    otherProblem: null,
  };
  return { summary, frame, mail: mailWords(summary, frame) };
}
