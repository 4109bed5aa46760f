// A digest as people read it: mail as text and as HTML, chat as text or as a card. Pure. Must never let a name or a
// business number of somebody else become markup or a mention.
import { counted } from "./phrases.ts";
import type { Matter, Summary } from "./summary.ts";

/** What a digest says about itself. */
export interface Frame {
  readonly tenantName: string;
  readonly timeZone: string;
  /** Operational events that it is made of, and those for which there was no room. */
  readonly eventCount: number;
  readonly leftOutCount: number;
  /** What is wrong with the other way of telling, in a sentence. */
  readonly otherProblem: string | null;
}

export interface MailWords {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export type ChatForm = "text" | "card";

const TO_KNOW = "Nothing to do";
const SETTLED = "Everything is as it should be.";

function opening({ toDo, toKnow }: Summary): string {
  if (toDo.length === 0) return SETTLED;
  const over = toKnow.length === 0 ? "" : ` ${counted(toKnow.length, "other is", "others are")} over.`;
  return `${counted(toDo.length, "thing needs", "things need")} somebody.${over}`;
}

function closing({ eventCount, leftOutCount, otherProblem, timeZone }: Frame): string[] {
  const lines = [
    `Times are of ${timeZone}. Made of ${counted(eventCount, "operational event", "operational events")}.`,
  ];
  if (leftOutCount > 0) {
    lines.push(`${counted(leftOutCount, "more has", "more have")} no room here: GET /v1/events?type=webhook.*`);
  }
  if (otherProblem !== null) lines.push(otherProblem);
  lines.push("What comes next is collected for an hour. Who is told, and how: posthorn digest");
  return lines;
}

export function mailWords(summary: Summary, frame: Frame): MailWords {
  return { subject: summary.subject, text: mailText(summary, frame), html: mailHtml(summary, frame) };
}

function mailText(summary: Summary, frame: Frame): string {
  const lines = [opening(summary), ""];
  const add = (matter: Matter, mark: string): void => {
    lines.push(`${mark}${matter.title}`, ...matter.facts.map((fact) => `   ${fact}`));
    if (matter.steps.length > 0) lines.push("   What to do:", ...matter.steps.map((step) => `     ${step}`));
    lines.push("");
  };
  summary.toDo.forEach((matter, i) => add(matter, `${i + 1}. `));
  if (summary.toKnow.length > 0) {
    if (summary.toDo.length > 0) lines.push(`${TO_KNOW}:`, "");
    for (const matter of summary.toKnow) add(matter, " - ");
  }
  lines.push("-- ", ...closing(frame), "");
  return lines.join("\n");
}

const FONT = "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif";

function mailHtml(summary: Summary, frame: Frame): string {
  const matterHtml = (matter: Matter, colour: string): string => {
    const facts = matter.facts.map((fact) => `<div style="margin:2px 0">${escaped(fact)}</div>`).join("");
    const steps =
      matter.steps.length === 0
        ? ""
        : `<div style="margin:6px 0 2px;color:#555">What to do:</div><pre style="margin:0;padding:8px;background:#f4f4f4;white-space:pre-wrap;font-size:13px">${matter.steps.map(escaped).join("\n")}</pre>`;
    return `<div style="border-left:4px solid ${colour};padding:2px 0 2px 12px;margin:16px 0"><div style="font-weight:bold;margin-bottom:4px">${escaped(matter.title)}</div>${facts}${steps}</div>`;
  };
  const toKnow = summary.toKnow.map((matter) => matterHtml(matter, "#2e7d32")).join("");
  const heading =
    toKnow === "" || summary.toDo.length === 0 ? "" : `<p style="margin:20px 0 0;color:#555">${escaped(TO_KNOW)}:</p>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(summary.subject)}</title></head><body style="margin:0;padding:16px;${FONT};font-size:15px;line-height:1.4;color:#222;background:#fff"><div style="max-width:640px"><p style="margin:0">${escaped(opening(summary))}</p>${summary.toDo.map((matter) => matterHtml(matter, "#c62828")).join("")}${heading}${toKnow}<p style="margin:24px 0 0;padding-top:8px;border-top:1px solid #ddd;font-size:12px;color:#777">${closing(frame).map(escaped).join("<br>")}</p></div></body></html>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A chat cuts what is longer, or refuses it. */
const CHAT_MATTERS = 10;

/**
 * The body of the request to a chat's incoming webhook.
 * @param form `text` is what Slack, Mattermost, Rocket.Chat and Google Chat take, `card` what Teams takes
 */
export function chatBody(summary: Summary, frame: Frame, form: ChatForm): Buffer {
  const body = form === "text" ? { text: chatText(summary, frame) } : card(summary, frame);
  return Buffer.from(JSON.stringify(body), "utf8");
}

function chatText(summary: Summary, frame: Frame): string {
  const lines = [summary.subject];
  for (const matter of [...summary.toDo, ...summary.toKnow].slice(0, CHAT_MATTERS)) {
    lines.push("", `• ${matter.title}`, ...matter.facts, ...matter.steps.map((step) => `→ ${step}`));
  }
  lines.push("", ...chatClosing(summary, frame));
  return harmless(lines.join("\n"));
}

function chatClosing({ toDo, toKnow }: Summary, frame: Frame): string[] {
  const more = toDo.length + toKnow.length - CHAT_MATTERS;
  return [
    ...(more > 0 ? [`${counted(more, "more matter", "more matters")}: posthorn webhooks`] : []),
    ...closing(frame),
  ];
}

/** No mention of people or channels, no link under another text: Slack's `<…>`, others' `@…`. */
function harmless(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("@", "@\u200b");
}

function card(summary: Summary, frame: Frame): Record<string, unknown> {
  const block = (text: string, more: Record<string, unknown> = {}) => ({
    type: "TextBlock",
    // Cards read a part of Markdown: links and emphasis are taken apart.
    text: text.replaceAll(/([\\[\]*_`])/g, "\\$1"),
    wrap: true,
    ...more,
  });
  const body = [block(summary.subject, { weight: "Bolder", size: "Medium" })];
  for (const matter of [...summary.toDo, ...summary.toKnow].slice(0, CHAT_MATTERS)) {
    body.push(block(matter.title, { weight: "Bolder", separator: true }));
    for (const fact of matter.facts) body.push(block(fact, { spacing: "None" }));
    for (const step of matter.steps) body.push(block(step, { fontType: "Monospace", spacing: "None" }));
  }
  for (const line of chatClosing(summary, frame)) body.push(block(line, { isSubtle: true, size: "Small" }));
  return {
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          body,
        },
      },
    ],
  };
}
