// Rules and code tables, as the API takes and shows them.

/** Who uses a definition. */
export type DefinitionUser =
  /** `fields`: where it stands there, `filters[0]`. */
  | { readonly type: "webhook"; readonly id: string; readonly fields: readonly string[] }
  /** A rule that reads a code table, or a route of which a step names it. */
  | { readonly type: "rule" | "route"; readonly name: string };

interface DefinitionState {
  readonly name: string;
  readonly description: string | null;
  /** Who decides what it says. */
  readonly owner: string | null;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Up to 100. */
  readonly usedBy: readonly DefinitionUser[];
  readonly usedByCount: number;
}

/** When a version was in force: while the configuration had these numbers. */
interface DefinitionPeriod {
  readonly version: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly fromConfigVersion: number;
  /** Null: it still is. */
  readonly toConfigVersion: number | null;
}

interface RuleSays {
  readonly expression: string;
  readonly validFrom: string | null;
  readonly validUntil: string | null;
}

/** A business rule: `rule.large_order` in filters and templates. */
export type Rule = DefinitionState & RuleSays;
export type RuleVersion = DefinitionPeriod & RuleSays & Pick<DefinitionState, "description" | "owner">;

export interface NewRule {
  /** As it stands in expressions: small letters, digits and `_`. */
  readonly name: string;
  readonly expression: string;
  readonly description?: string | null;
  readonly owner?: string | null;
  /** ISO 8601 with an offset; before it the rule is false. Held against the event's own time. */
  readonly validFrom?: string | null;
  readonly validUntil?: string | null;
}

export type RuleChange = Partial<Omit<NewRule, "name">>;

export type CodeValue = string | number | boolean;

/** A code table: `lookup("tax", code)` in filters and templates. */
export type CodeTable = DefinitionState & { readonly entries: Readonly<Record<string, CodeValue>> };
export type CodeTableVersion = DefinitionPeriod &
  Pick<CodeTable, "entries"> &
  Pick<DefinitionState, "description" | "owner">;

export interface NewCodeTable {
  readonly name: string;
  readonly entries: Readonly<Record<string, CodeValue>>;
  readonly description?: string | null;
  readonly owner?: string | null;
}

export type CodeTableChange = Partial<Omit<NewCodeTable, "name">>;
