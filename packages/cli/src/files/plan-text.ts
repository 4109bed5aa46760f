// A plan for people: what becomes of each webhook, and which lines of it change. The server has masked the secrets;
// must print no other value than those of the plan.
import type { PlannedWebhook } from "@posthorn/client";
import type { Colour } from "../lib/io.ts";
import { clean } from "../lib/text.ts";

/** Gives the text back where there is no colour. */
export type Painter = (colour: Colour, text: string) => string;

type Action = PlannedWebhook["action"];

const SIGNS: Readonly<Record<Action, string>> = { create: "+", update: "~", unchanged: "=", delete: "-" };
const COLOURS: Readonly<Record<Action, Colour>> = {
  create: "green",
  update: "yellow",
  unchanged: "dim",
  delete: "red",
};

/** The plan as lines. */
export function planLines(plan: readonly PlannedWebhook[], paint: Painter): string[] {
  return plan.flatMap((webhook) => {
    const head = `${SIGNS[webhook.action]} ${clean(webhook.name ?? `${webhook.id} (without a name)`)}`;
    return [paint(COLOURS[webhook.action], head), ...changeLines(webhook, paint)];
  });
}

/** `1 created, 2 changed, 3 unchanged`; for a dry run what would be. */
export function summaryOf(plan: readonly PlannedWebhook[], applied: boolean): string {
  const words: Readonly<Record<Action, [done: string, planned: string]>> = {
    create: ["created", "to create"],
    update: ["changed", "to change"],
    delete: ["deleted", "to delete"],
    unchanged: ["unchanged", "unchanged"],
  };
  const parts = (Object.keys(words) as Action[]).flatMap((action) => {
    const count = plan.filter((webhook) => webhook.action === action).length;
    return count === 0 ? [] : [`${count} ${words[action][applied ? 0 : 1]}`];
  });
  const counted = parts.length === 0 ? "No webhooks" : parts.join(", ");
  return applied ? `${counted}.` : `${counted}. This was a dry run: nothing was changed.`;
}

/** True when applying would change something. */
export function hasChanges(plan: readonly PlannedWebhook[]): boolean {
  return plan.some(({ action }) => action !== "unchanged");
}

function changeLines({ action, changes }: PlannedWebhook, paint: Painter): string[] {
  const fields = Object.entries(changes).filter(([field]) => field !== "name" || action !== "create");
  const rows = fields.flatMap(([field, { from, to }]) => rowsOf(field, from, to));
  const width = Math.min(32, Math.max(0, ...rows.map(({ path }) => path.length)));
  return rows.map(({ path, from, to }, index) => {
    const isRepeated = rows[index - 1]?.path === path;
    const label = `    ${(isRepeated ? "" : path).padEnd(width)}  `;
    if (action === "create") return label + (to ?? "");
    if (action === "delete") return label + paint("dim", from ?? "");
    if (from === null) return label + paint("green", `+ ${to}`);
    if (to === null) return label + paint("red", `- ${from}`);
    if (from === to) return label + paint("yellow", "changed (a secret)");
    return `${label}${paint("red", from)} → ${paint("green", to)}`;
  });
}

interface Row {
  readonly path: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** One row for each leaf that differs; of lists, for each item that came or went. */
function rowsOf(path: string, from: unknown, to: unknown): Row[] {
  if (isMap(from) || isMap(to)) {
    const [before, after] = [isMap(from) ? from : {}, isMap(to) ? to : {}];
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    const rows = keys.flatMap((key) => {
      const inside = `${path}.${key}`;
      return JSON.stringify(before[key]) === JSON.stringify(after[key]) ? [] : rowsOf(inside, before[key], after[key]);
    });
    // The same to look at and still different: a secret, or the order of the members.
    return rows.length > 0 || keys.length === 0 ? rows : [{ path, from: "", to: "" }];
  }
  if (Array.isArray(from) || Array.isArray(to)) {
    const [before, after] = [textsOf(from), textsOf(to)];
    const gone = before.filter((text) => !after.includes(text));
    const come = after.filter((text) => !before.includes(text));
    const rows = [
      ...gone.map((text) => ({ path, from: text, to: null })),
      ...come.map((text) => ({ path, from: null, to: text })),
    ];
    return rows.length > 0 ? rows : [{ path, from: before.join(", "), to: after.join(", ") }];
  }
  return [{ path, from: textOf(from), to: textOf(to) }];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map((item) => textOf(item) ?? "null") : [];
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return clean(typeof value === "string" ? value : JSON.stringify(value));
}
