// Fields that the bodies of several routes have. What they refuse is refused here, in the same words everywhere.
import { z } from "zod";

const ONE_LINE = /^[^\p{Cc}\p{Cs}]*$/u;

/** What a person calls something. */
export const nameField = z.string().min(1).max(200).regex(ONE_LINE, "Use printable characters");

/** Events a second, for a key or a tenant. */
export const captureLimitField = z
  .int()
  .min(1)
  .max(1_000_000)
  .meta({ description: "Events a second that may be published; null for no limit." });

/** A company's id, as the platform gives it or as it is made here. */
export const COMPANY_ID = /^company_[A-Za-z0-9_-]{1,64}$/;
export const companyIdField = z
  .string()
  .regex(COMPANY_ID, "Expected company_ and up to 64 letters, digits, _ or -")
  .meta({ examples: ["company_default"] });

/** A filter that is compared with an id or a word of ours: printable ASCII. */
export const wordParameter = z.string().regex(/^[\x21-\x7e]{1,200}$/, "Expected printable characters without spaces");
