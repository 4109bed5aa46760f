// Whether a webhook's status lets a delivery be made or tried, and what to do when it does not.

/** One sentence for the person who asked, or null when nothing stands in the way. */
export function webhookObstacle(webhookId: string, status: string): string | null {
  switch (status) {
    case "enabled":
      return null;
    case "paused":
      return `The webhook ${webhookId} is paused. Resume it first; what is pending of it then goes out by itself.`;
    case "disabled":
      return `The webhook ${webhookId} is disabled. Set its active to true first.`;
    default:
      return `The webhook ${webhookId} is deleted. Replay the event to another webhook instead.`;
  }
}
