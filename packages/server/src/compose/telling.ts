// Wires how people are told: mail through the operator's server, chats through the guarded client. Decides no rule.
import { reasonOf } from "../deliver/diagnose-words.ts";
import type { DigestsOptions, Told } from "../maintain/digest/digests.ts";
import { createMailer } from "../security/outbound/mailer.ts";
import type { Ground } from "./ground.ts";

export interface TellingParts extends Pick<DigestsOptions, "sendMail" | "sendChat" | "openChatUrl"> {
  stop(): void;
}

const CHAT_TIMEOUT_MS = 15_000;
/** A mail that is under way when the node stops has so long: cut off, nobody would know whether it arrived. */
const FINISH_MS = 5_000;

export function buildTelling({ options, outbound, vault }: Ground): TellingParts {
  const { mailServer } = options;
  const mailer = mailServer === undefined ? undefined : createMailer(mailServer, options.furtherCas);
  return {
    sendMail:
      mailer === undefined
        ? undefined
        : async (mail): Promise<Told> => {
            const result = await mailer.send(mail);
            if (result.kind === "failed") return { kind: "failed", problem: result.message };
            const { refused } = result;
            return {
              kind: "told",
              problem: refused.length === 0 ? null : `The mail server refused ${refused.join(", ")}.`,
            };
          },
    async sendChat(url, body): Promise<Told> {
      const result = await outbound.send({
        url,
        method: "POST",
        headers: ["content-type", "application/json"],
        body,
        timeoutMs: CHAT_TIMEOUT_MS,
      });
      const isTaken = result.kind === "responded" && result.status >= 200 && result.status <= 299;
      return isTaken ? { kind: "told", problem: null } : { kind: "failed", problem: reasonOf(result) };
    },
    openChatUrl: (tenantUuid, ciphertext) =>
      vault.decryptSecret({
        tenantUuid,
        table: "digest_channel",
        column: "chat_ciphertext",
        rowId: "chat",
        ciphertext,
      }),
    stop: () => void setTimeout(() => mailer?.close(), FINISH_MS).unref(),
  };
}
