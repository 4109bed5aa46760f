// Fills the placeholders of webhook files from `--set` and the environment. All that stay unfilled are named at once.
// What is filled in is usually a secret: only names may go into messages.
import { nearestNames } from "@posthorn/contract";
import { type Problem, type Tree, type TreePlaceholder, type TreeScalar, scalar } from "./tree.ts";
import { MASK } from "./webhook-shape.ts";

/** Fields that take a list: a value is split at its commas. Both forms, as paths without indexes. */
const LISTS = new Set([
  "events",
  "filters",
  "allowedIps",
  "signature.profiles",
  "batchSettings.flushOnEvent",
  "Event Triggers",
  "Filters",
  "Security Settings.IP Whitelist",
]);
/** Fields of the own form that take a number, or true and false. */
const NUMBERS =
  /^(timeout|maxInFlight|retryPolicy\.(maxRetries|retryDelay|backoffMultiplier|increment|maxDelay|maxAge|jitter)|expireAfter|expireWarning|checkAfter|rateLimit\.(limit|burst)|batchSettings\.(maxEvents|maxWaitTime)|coalesce\.(window|maxWait))$/;
const SWITCHES = /^(active|batchSettings\.enabled)$/;
/** Fields that hold a secret; what is stored there can be kept by sending the mask. */
const SECRETS =
  /^(secret|headers\..+|auth\.(value|token|username|password|accessToken)|Authentication\.(Value|Token|Username|Password))$/;

export interface PlaceholderValues {
  /** `--set NAME=value`. */
  readonly given: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** An unfilled placeholder of a secret leaves what is stored as it is. */
  readonly keepSecrets: boolean;
}

export interface Filled {
  readonly webhooks: readonly Tree[];
  readonly problems: readonly Problem[];
  /** Names that stood in the files. */
  readonly names: ReadonlySet<string>;
}

/** Fills the placeholders of webhooks in either form. */
export function fillPlaceholders(webhooks: readonly Tree[], values: PlaceholderValues): Filled {
  const problems: Problem[] = [];
  const names = new Set<string>();

  const valueOf = ({ name, place }: TreePlaceholder, path: string): string | null => {
    names.add(name);
    const value = values.given.get(name) ?? values.environment[name];
    if (value !== undefined && value.trim() !== "") return value;
    if (values.keepSecrets && SECRETS.test(path)) return MASK;
    const why = value === undefined ? "has no value" : "is empty";
    const message = `The placeholder [${name}] ${why}. Give it with --set ${name}=… or as an environment variable; if the text ${name} is meant, put it in quotes.`;
    problems.push({ place, message });
    return null;
  };
  const fillList = (holder: TreePlaceholder, path: string): Tree[] =>
    (valueOf(holder, path) ?? "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "")
      .map((part) => scalar(part, holder.place));
  const fill = (tree: Tree, path: string): Tree => {
    switch (tree.kind) {
      case "scalar":
        return tree;
      case "placeholder":
        if (LISTS.has(path)) return { kind: "list", place: tree.place, items: fillList(tree, path) };
        return scalar(typed(valueOf(tree, path) ?? "", path), tree.place);
      case "list":
        return {
          ...tree,
          items: tree.items.flatMap((item) => (isListed(item, path) ? fillList(item, path) : [fill(item, path)])),
        };
      case "map": {
        const under = path === "" ? "" : `${path}.`;
        return {
          ...tree,
          members: tree.members.map((member) => ({ ...member, value: fill(member.value, under + member.key) })),
        };
      }
      default:
        return tree satisfies never;
    }
  };
  return { webhooks: webhooks.map((webhook) => fill(webhook, "")), problems, names };
}

/** `--set` names that stand in no file: most likely misspelt. */
export function unusedNames(given: ReadonlyMap<string, string>, used: ReadonlySet<string>): string[] {
  return [...given.keys()]
    .filter((name) => !used.has(name))
    .map((name) => {
      const [nearest] = nearestNames(name, used, 1);
      const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
      return `--set ${name}: no file holds the placeholder [${name}].${hint}`;
    });
}

function isListed(item: Tree, path: string): item is TreePlaceholder {
  return item.kind === "placeholder" && LISTS.has(path);
}

function typed(value: string, path: string): TreeScalar["value"] {
  if (NUMBERS.test(path) && /^-?\d+(\.\d+)?$/.test(value.trim())) return Number(value);
  if (SWITCHES.test(path) && /^(true|false)$/.test(value.trim())) return value.trim() === "true";
  return value;
}
