// Who and where: what webhooks are restricted by.

export type OrganisationKind = "company" | "branch" | "location" | "employee" | "user";

export interface OrganisationEntry {
  readonly kind: OrganisationKind;
  readonly id: string;
  readonly name: string | null;
  /** Company of a branch, branch of a location, employee who is a user. */
  readonly parentId: string | null;
  readonly departments: readonly string[];
  readonly teams: readonly string[];
  /** When it was so: what is older changes nothing. */
  readonly asOf: string;
}

interface Named {
  readonly id: string;
  readonly name?: string | null;
}

interface Member extends Named {
  readonly departments?: readonly string[];
  readonly teams?: readonly string[];
}

/** What to add or replace; whoever is not named stays, and so do members left out. 5,000 entries at most. */
export interface OrganisationLoad {
  readonly companies?: readonly Named[];
  readonly branches?: readonly (Named & { readonly companyId?: string | null })[];
  readonly locations?: readonly (Named & { readonly branchId?: string | null })[];
  readonly employees?: readonly Member[];
  readonly users?: readonly (Member & { readonly employeeId?: string | null })[];
  /** When it was so; now unless given. */
  readonly asOf?: string;
}

export interface OrganisationLoaded {
  readonly changed: number;
  readonly unchanged: number;
  /** Of these a later state was known already, and stays. */
  readonly older: number;
}
