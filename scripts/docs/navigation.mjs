// The pages of the documents, in the order in which they are read. Every Markdown file below docs/ stands here, except
// docs/decisions, which is for those who change the program. A page that is missing on either side is an error.

/** Paths below docs/, without `.md`. */
export const NAVIGATION = [
  { title: "Start", pages: ["index", "quick-start", "concepts"] },
  {
    title: "Guides",
    pages: [
      "guides/receiving",
      "guides/retries",
      "guides/responses",
      "guides/batches",
      "guides/recovery",
      "guides/ordering",
      "guides/fairness",
      "guides/filters-and-templates",
      "guides/rules",
      "guides/routes",
      "guides/formats",
      "guides/privacy",
      "guides/security",
      "guides/webhooks-as-files",
      "guides/sdk",
      "guides/health",
      "guides/troubleshooting",
    ],
  },
  { title: "Reference", pages: ["api", "cli", "catalogue", "errors", "settings"] },
  {
    title: "Operating",
    pages: ["operations/running", "operations/monitoring", "operations/backup", "operations/limits"],
  },
];

/** Pages with more below them, which only they list: `catalogue` leads to `catalogue/invoice`. */
export const PARENTS = ["catalogue"];

/** Folders below docs/ that are not part of the site. */
export const LEFT_OUT = ["decisions"];
