// `--map-url FROM=TO`: sends what a file addresses to one place to another, for development. Changes URLs only.
import { memberOf, scalar, type TreeMap } from "./tree.ts";

export interface UrlMapping {
  /** The beginning of a URL: an origin, perhaps with a path. */
  readonly from: string;
  readonly to: string;
}

/** `https://api.crm.com=http://127.0.0.1:9000`; a FROM without a scheme means https. Null when it is not that. */
export function parseMapping(text: string): UrlMapping | null {
  const match = /^([^=]+)=(https?:\/\/.+)$/i.exec(text.trim());
  if (match === null) return null;
  const [from, to] = [match[1] as string, match[2] as string];
  const withScheme = /^https?:\/\//i.test(from) ? from : `https://${from}`;
  return URL.canParse(withScheme) && URL.canParse(to) ? { from: withScheme, to } : null;
}

/** The webhook with its URLs, those in `perEvent` too, mapped by the first mapping that fits, which is added to `used`. */
export function mapUrl(webhook: TreeMap, mappings: readonly UrlMapping[], used: Set<UrlMapping>): TreeMap {
  const mapped = mapOwnUrl(webhook, mappings, used);
  const perEvent = memberOf(mapped, "perEvent");
  if (perEvent?.value.kind !== "map") return mapped;
  const members = perEvent.value.members.map((member) =>
    member.value.kind === "map" ? { ...member, value: mapOwnUrl(member.value, mappings, used) } : member,
  );
  const changed = { ...perEvent, value: { ...perEvent.value, members } };
  return { ...mapped, members: mapped.members.map((member) => (member === perEvent ? changed : member)) };
}

function mapOwnUrl(webhook: TreeMap, mappings: readonly UrlMapping[], used: Set<UrlMapping>): TreeMap {
  const url = memberOf(webhook, "url");
  if (url?.value.kind !== "scalar" || typeof url.value.value !== "string") return webhook;
  const { value, place } = url.value;
  for (const mapping of mappings) {
    const mapped = mappedUrl(value, mapping);
    if (mapped === null) continue;
    used.add(mapping);
    const changed = { ...url, value: scalar(mapped, place) };
    return { ...webhook, members: webhook.members.map((member) => (member === url ? changed : member)) };
  }
  return webhook;
}

/** Mappings that fitted no URL: most likely misspelt. */
export function unusedMappings(mappings: readonly UrlMapping[], used: ReadonlySet<UrlMapping>): string[] {
  return mappings
    .filter((mapping) => !used.has(mapping))
    .map((mapping) => `--map-url ${mapping.from}=…: no webhook's URL begins with ${mapping.from}.`);
}

/** Whole steps only: https://api.crm.com is no beginning of https://api.crm.company. */
function mappedUrl(url: string, { from, to }: UrlMapping): string | null {
  const start = from.replace(/\/$/, "");
  if (url.slice(0, start.length).toLowerCase() !== start.toLowerCase()) return null;
  const rest = url.slice(start.length);
  return rest === "" || /^[/?#]/.test(rest) ? to.replace(/\/$/, "") + rest : null;
}
