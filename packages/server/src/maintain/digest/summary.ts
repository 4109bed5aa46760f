// What people have to know of many operational events: one matter for each webhook, what is to be done first, what is
// over last. Pure. Must never make up a state that no event told of, nor show anything but what the events hold.
import { type Clockwork, cleaned, counted, named, TIME_UNITS } from "./phrases.ts";

/** An operational event that people were not told of yet. */
export interface DigestEntry {
  readonly atMs: number;
  readonly webhookId: string | null;
  readonly type: string;
  /** `data.object` of the event. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** One thing to know. */
export interface Matter {
  readonly title: string;
  /** Sentences. */
  readonly facts: readonly string[];
  /** Commands, in the order in which they make sense. */
  readonly steps: readonly string[];
}

export interface Summary {
  readonly subject: string;
  /** Somebody should do something; the worst first. */
  readonly toDo: readonly Matter[];
  /** It is over, or somebody meant it. */
  readonly toKnow: readonly Matter[];
}

interface Weighed extends Matter {
  /** Of what is to be done: how bad it is. 0: nothing is to be done. */
  readonly weight: number;
}

/** What events have told of one webhook, the latest of each kind. */
interface Story {
  readonly id: string | null;
  label: string;
  host: string | null;
  readonly latest: Map<string, DigestEntry>;
  badSinceMs: number | null;
  dead: Tally;
  recovered: Tally;
  expiring: Tally;
  parked: Tally;
}

interface Tally {
  count: number;
  readonly deliveries: Readonly<Record<string, unknown>>[];
}

/** @param entries oldest first; at least one */
export function summarise(entries: readonly DigestEntry[], tenantName: string, clock: Clockwork): Summary {
  const matters = storiesOf(entries).map((story) => matterOf(story, clock));
  const toDo = matters.filter(({ weight }) => weight > 0).sort((a, b) => b.weight - a.weight);
  const toKnow = matters.filter(({ weight }) => weight === 0);
  const [first] = [...toDo, ...toKnow];
  const more = (toDo.length > 0 ? toDo : toKnow).length - 1;
  const rest = more === 0 ? "" : `, and ${more} more`;
  return { subject: `[Posthorn] ${cleaned(tenantName)}: ${first?.title ?? ""}${rest}`, toDo, toKnow };
}

function storiesOf(entries: readonly DigestEntry[]): Story[] {
  const stories = new Map<string, Story>();
  for (const entry of entries) {
    const { object, type, webhookId } = entry;
    // What is about no webhook is about what its object names.
    const key = webhookId ?? `${type.split(".")[0]} ${rawText(object["id"]) ?? rawText(object["name"]) ?? ""}`;
    let story = stories.get(key);
    if (story === undefined) {
      story = { id: webhookId, label: "", host: null, latest: new Map(), badSinceMs: null, ...noTallies() };
      stories.set(key, story);
    }
    story.label = labelOf(entry) ?? story.label;
    story.host = textOf(object["host"]) ?? story.host;
    story.latest.set(type, entry);
    if (type === "webhook.health_changed") {
      if (object["health"] !== "healthy") story.badSinceMs ??= entry.atMs;
    }
    const tally = tallyOf(story, type);
    if (tally === null) continue;
    tally.count += Number(object["count"] ?? 0);
    tally.deliveries.push(...((object["deliveries"] ?? []) as Tally["deliveries"]));
  }
  return [...stories.values()];
}

const noTallies = () => ({
  parked: { count: 0, deliveries: [] },
  dead: { count: 0, deliveries: [] },
  recovered: { count: 0, deliveries: [] },
  expiring: { count: 0, deliveries: [] },
});

function tallyOf(story: Story, type: string): Tally | null {
  if (type === "delivery.dead_lettered") return story.dead;
  if (type === "delivery.recovered") return story.recovered;
  if (type === "delivery.expiring") return story.expiring;
  return type === "key.parked" ? story.parked : null;
}

function labelOf({ object, type, webhookId }: DigestEntry): string | null {
  const name = type.startsWith("delivery.") ? object["webhookName"] : (object["name"] ?? object["webhookName"]);
  return textOf(name) ?? textOf(object["host"]) ?? webhookId;
}

function rawText(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? cleaned(value) : null;
}

function matterOf(story: Story, clock: Clockwork): Weighed {
  return story.id === null ? otherMatter(story, clock) : webhookMatter(story, clock);
}

/** By how bad it is; each webhook is told of under the worst. */
const WEIGHTS = {
  disabled: 6,
  unreachable: 5,
  failing: 5,
  dead: 4,
  expiring: 3,
  parked: 3,
  other: 2,
  warning: 1,
} as const;

function webhookMatter(story: Story, clock: Clockwork): Weighed {
  const { label, latest, dead, recovered, expiring, parked } = story;
  const found: { readonly weight: number; readonly title: string }[] = [];
  const facts: string[] = [];
  const steps: string[] = [];
  const id = story.id ?? "";
  const disabled = latest.get("webhook.disabled");
  const health = latest.get("webhook.health_changed");
  const isOff = disabled !== undefined && !(health?.object["health"] === "healthy" && health.atMs > disabled.atMs);
  if (disabled !== undefined && isOff) {
    const reason = disabled.object["disabledReason"];
    const byHand = reason === "owner";
    found.push({ weight: byHand ? 0 : WEIGHTS.disabled, title: `${label} is switched off` });
    facts.push(`${DISABLED_WORDS[String(reason)] ?? "It was switched off."} That was at ${clock.time(disabled.atMs)}.`);
    if (!byHand) {
      const since = new Date(story.badSinceMs ?? disabled.atMs).toISOString();
      steps.push(`posthorn diagnose ${id}`);
      steps.push(`PATCH /v1/webhooks/${id} {"active": true}   (when the receiver works)`);
      steps.push(`posthorn replay --webhook ${id} --which missed --from ${since}`);
    }
  } else if (health !== undefined) {
    const status = String(health.object["health"]);
    if (status === "healthy") {
      const { badSinceMs } = story;
      found.push({ weight: 0, title: `${label} works again` });
      const after = badSinceMs === null ? "" : `, after ${clock.duration(health.atMs - badSinceMs)}`;
      facts.push(`Since ${clock.time(health.atMs)}${after}.`);
    } else {
      const isAway = status === "unreachable";
      found.push({
        weight: isAway ? WEIGHTS.unreachable : WEIGHTS.failing,
        title: `${label} ${isAway ? "cannot be reached" : "answers with failures"}`,
      });
      const reason = textOf(health.object["reason"]);
      facts.push(`Since ${clock.time(story.badSinceMs ?? health.atMs)}.${reason === null ? "" : ` ${reason}`}`);
      facts.push("What is sent to it waits, and goes out when it works again.");
      steps.push(`posthorn diagnose ${id}`);
    }
  }
  const left = dead.count - recovered.count;
  if (dead.count > 0 && left > 0) {
    found.push({ weight: WEIGHTS.dead, title: `${label}: ${counted(dead.count, "delivery", "deliveries")} given up` });
    facts.push(`Given up: ${named(dead)}.`);
    if (!steps.some((step) => step.startsWith("posthorn diagnose"))) steps.push(`posthorn diagnose ${id}`);
    steps.push(`posthorn retry --dead-letters-of ${id}`);
  }
  if (recovered.count > 0) {
    const arrived = counted(recovered.count, "delivery", "deliveries");
    found.push({ weight: 0, title: `${label}: ${arrived} that had been given up arrived` });
    facts.push(`Arrived after all: ${named(recovered)}.`);
  }
  if (expiring.count > 0) {
    const title = `${label}: ${counted(expiring.count, "delivery", "deliveries")} about to expire`;
    const first = textOf(latest.get("delivery.expiring")?.object["firstExpiresAt"]);
    found.push({ weight: WEIGHTS.expiring, title });
    const from = first === null ? "" : ` The first is given up at ${clock.time(Date.parse(first))}.`;
    facts.push(`About to expire: ${named(expiring)}.${from}`);
    steps.push(`posthorn diagnose ${id}`, `posthorn retry --waiting-of ${id}`);
  }
  if (parked.count > 0) {
    const keys = counted(parked.count, "key is", "keys are");
    found.push({ weight: WEIGHTS.parked, title: `${label}: ${keys} parked` });
    facts.push(`What comes after them waits: ${keysOf(parked)}.`);
    steps.push(`posthorn parked-keys list --webhook ${id}`);
  }
  const announced = latest.get("webhook.disable_announced");
  if (announced !== undefined && !isOff && health?.object["health"] !== "healthy") {
    const at = textOf(announced.object["disablesAt"]);
    found.push({ weight: WEIGHTS.warning, title: `${label} will be switched off if it goes on failing` });
    if (at !== null) facts.push(`Without a success it is switched off at ${clock.time(Date.parse(at))}.`);
    steps.push(`posthorn diagnose ${id}`);
  }
  const certificate = textOf(latest.get("webhook.certificate_expiring")?.object["certificateExpiresAt"]);
  if (certificate !== null) {
    found.push({ weight: WEIGHTS.warning, title: `${label}: the receiver's certificate runs out` });
    facts.push(`Its certificate ends at ${clock.time(Date.parse(certificate))}. Renew it on the receiver's server.`);
    steps.push(`posthorn diagnose ${id}`);
  }
  for (const [type, { object }] of latest) {
    // One of ours without what we read in it is told of by its name, as all that we do not know.
    if (KNOWN_TYPES.has(type) && found.length > 0) continue;
    const other = wordsOfOther(type, object, textOf(object["key"]) ?? textOf(object["orderingKey"]));
    const isOver = OVER.test(type);
    found.push({ weight: isOver ? 0 : WEIGHTS.other, title: `${label}: ${other.title}` });
    facts.push(...other.facts);
  }
  const worst = found.reduce((a, b) => (b.weight > a.weight ? b : a), found[0] as (typeof found)[number]);
  const where = [story.id, story.host].filter((part) => part !== null && part !== label).join(", ");
  return {
    title: worst.title,
    weight: worst.weight,
    facts: where === "" ? facts : [`${facts[0] ?? ""} (${where})`, ...facts.slice(1)],
    steps: [...new Set(steps)],
  };
}

const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "webhook.disabled",
  "webhook.health_changed",
  "webhook.disable_announced",
  "webhook.certificate_expiring",
  "delivery.dead_lettered",
  "delivery.recovered",
  "delivery.expiring",
  "key.parked",
]);

function keysOf({ count, deliveries }: Tally): string {
  const keys = [...new Set(deliveries.map((each) => textOf(each["orderingKey"]) ?? ""))];
  const shown = keys.filter((key) => key !== "").slice(0, NAMED_KEYS);
  const more = count - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
const NAMED_KEYS = 5;

/** Somebody dealt with it, or it ended by itself. */
const OVER = /[._](released|resumed|recovered)$/;

const DISABLED_WORDS: Readonly<Record<string, string>> = {
  endpoint_gone: "The receiver answered 410: it is gone for good.",
  health: `The receiver failed for 120 ${TIME_UNITS.hours}.`,
  response_rule: "The receiver gave an answer for which a rule of the webhook says so.",
  owner: "A person switched it off.",
};

/** What is about no webhook: a module that fell silent, and what later versions raise. */
function otherMatter(story: Story, clock: Clockwork): Weighed {
  const entry = [...story.latest.values()].at(-1) as DigestEntry;
  if (entry.type === "module.silent" || entry.type === "module.resumed") return moduleMatter(entry, clock);
  const other = wordsOfOther(entry.type, entry.object, textOf(entry.object["name"]));
  const isOver = OVER.test(entry.type);
  return { weight: isOver ? 0 : WEIGHTS.other, ...other, steps: [] };
}

function moduleMatter({ atMs, type, object }: DigestEntry, clock: Clockwork): Weighed {
  const name = textOf(object["name"]) ?? "A module";
  const last = clock.time(Date.parse(String(object["lastEventAt"])));
  if (type === "module.resumed") {
    const sinceMs = Date.parse(String(object["silentSince"]));
    const after = Number.isNaN(sinceMs) ? "" : `, after ${clock.duration(atMs - sinceMs)}`;
    return { title: `${name} sends events again`, weight: 0, facts: [`Since ${last}${after}.`], steps: [] };
  }
  const usual = object["usualPerHour"];
  const usually = typeof usual === "number" ? ` Usually about ${usual} come in an hour like this one.` : "";
  return {
    title: `${name} is silent`,
    weight: WEIGHTS.other,
    facts: [`Its last event came at ${last}.${usually} Look whether it still runs and reaches Posthorn.`],
    steps: ["posthorn modules"],
  };
}

function wordsOfOther(
  type: string,
  object: DigestEntry["object"],
  name: string | null,
): { title: string; facts: string[] } {
  const [resource = "", verb = ""] = type.split(".");
  const title = `${resource}${name === null ? "" : ` ${name}`} ${verb.replaceAll("_", " ")}`;
  const facts = [textOf(object["reason"]), textOf(object["nextStep"])].filter((fact) => fact !== null);
  return { title, facts };
}
