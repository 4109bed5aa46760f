// Webhook files as what the server is asked to apply, and the way back from a field that the server names to its place.
// Reads no file and no environment itself; everything wrong is collected, so that it can be mended in one go.
import { nearestNames } from "@posthorn/contract";
import { type UrlMapping, mapUrl, unusedMappings } from "./map-url.ts";
import { fillPlaceholders, type PlaceholderValues, unusedNames } from "./placeholders.ts";
import { convertPrinted, isPrintedForm } from "./printed-form.ts";
import { readYaml } from "./read-yaml.ts";
import { memberOf, type Place, placeOf, plainValue, type Problem, type Tree, type TreeMap } from "./tree.ts";

export interface SourceFile {
  /** As shown in messages. */
  readonly name: string;
  readonly text: string;
}

export interface LoadOptions extends PlaceholderValues {
  readonly mappings: readonly UrlMapping[];
}

export type Loaded =
  | {
      readonly ok: true;
      /** Own form, ready to be sent; holds secrets. */
      readonly webhooks: readonly Record<string, unknown>[];
      /** Where `webhooks[1].filters[0]` stands; null for a path that names no webhook. */
      readonly placeOf: (field: string, position?: number) => Place | null;
    }
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      /** What is wrong with the options rather than with a file. */
      readonly optionProblems: readonly string[];
    };

export function loadWebhookFiles(files: readonly SourceFile[], options: LoadOptions): Loaded {
  const problems: Problem[] = [];
  const written = files.flatMap(({ name, text }) => {
    const read = readYaml(text, name);
    problems.push(...read.problems);
    return read.documents.flatMap((document) => webhooksIn(document, problems));
  });
  const filled = fillPlaceholders(written, options);
  problems.push(...filled.problems);
  const webhooks = (filled.webhooks as TreeMap[]).map((webhook) => {
    if (!isPrintedForm(webhook)) return webhook;
    const converted = convertPrinted(webhook);
    // A placeholder without a value has been named already; what an empty one leads to is no news.
    if (filled.problems.length === 0) problems.push(...converted.problems);
    return converted.webhook;
  });
  const used = new Set<UrlMapping>();
  const mapped = webhooks.map((webhook) => mapUrl(webhook, options.mappings, used));
  const optionProblems =
    problems.length > 0 ? [] : [...unusedNames(options.given, filled.names), ...unusedMappings(options.mappings, used)];
  if (problems.length > 0 || optionProblems.length > 0) return { ok: false, problems, optionProblems };
  return {
    ok: true,
    webhooks: mapped.map((webhook) => plainValue(webhook) as Record<string, unknown>),
    placeOf: (field, position) => {
      const match = /^webhooks\[(\d+)\]\.?(.*)$/s.exec(field);
      const webhook = match === null ? undefined : mapped[Number(match[1])];
      return webhook === undefined ? null : placeOf(webhook, match?.[2] ?? "", position);
    },
  };
}

/** A document is one webhook, a list of them, or a map whose `webhooks` is such a list. */
function webhooksIn(document: Tree, problems: Problem[]): TreeMap[] {
  if (document.kind === "list") return document.items.flatMap((item) => oneWebhook(item, problems));
  const list = document.kind === "map" ? memberOf(document, "webhooks") : undefined;
  if (document.kind !== "map" || list === undefined) return oneWebhook(document, problems);
  for (const { key, keyPlace } of document.members) {
    if (key === "webhooks") continue;
    const [nearest] = nearestNames(key, ["webhooks"], 1);
    const hint = nearest === undefined ? "Beside webhooks nothing is known." : `Did you mean ${nearest}?`;
    problems.push({ place: keyPlace, message: `There is no ${JSON.stringify(key.slice(0, 80))} here. ${hint}` });
  }
  if (list.value.kind === "list") return list.value.items.flatMap((item) => oneWebhook(item, problems));
  problems.push({ place: list.value.place, message: "webhooks is a list; begin each webhook with a dash." });
  return [];
}

function oneWebhook(tree: Tree, problems: Problem[]): TreeMap[] {
  if (tree.kind === "map") return [tree];
  problems.push({ place: tree.place, message: "Expected a webhook: names and values, such as name, url and events." });
  return [];
}
