// The page of the command line: what each command's own --help says, from the commands themselves.
// Must not run a command.

/** Of a page's text blocks, so that they can be read beside the navigation. */
const WIDTH = 96;

/**
 * @param groups the table of commands, as packages/cli has it
 * @param Command commander's, as packages/cli has it
 */
export async function cliPage(groups, Command, writtenBy) {
  const sections = [];
  for (const { title, commands } of groups) {
    sections.push(`## ${title.replace(/:$/, "")}`);
    for (const entry of commands) {
      const program = new Command("posthorn");
      // `keys recover` is loaded only when it is asked for.
      (await entry.load([entry.name, "recover"]))(program);
      const command = program.commands.at(-1);
      command.description(entry.summary);
      sections.push(...sectionsOf(command, "posthorn"));
    }
  }
  return `# The command line

${writtenBy}

One program, \`posthorn\`: without a command it serves. Commands that talk to a server take \`--url\` and \`--api-key\`, or
\`POSTHORN_URL\` and \`POSTHORN_API_KEY\`; beside a running embedded server they need neither, because they find its
\`operator.key\` in the data directory. In a clone, \`node packages/cli/dist/posthorn.js\` is the program.

Every command has \`--help\` with examples. \`--json\` prints one object, or one object a line where there is no end.
Colours appear on terminals only; \`NO_COLOR\` and \`FORCE_COLOR\` are honoured.

| exit code | meaning |
| --- | --- |
| 0 | all is well |
| 1 | the server refused, or something did not succeed |
| 2 | called wrongly, or what was given cannot be used |
| 3 | no server answered |
| 4 | \`apply --dry-run --detailed-exitcode\`: something would change |

${sections.join("\n\n")}
`;
}

function sectionsOf(command, parent) {
  const name = `${parent} ${command.name()}`;
  const own = [`### ${name}`, "```text\n".concat(helpOf(command, parent), "\n```")];
  const below = command.commands.filter((each) => each.name() !== "help");
  return [...own, ...below.flatMap((each) => sectionsOf(each, name))];
}

function helpOf(command, parent) {
  let text = "";
  command.configureOutput({
    writeOut: (part) => (text += part),
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text
    .replace(/^Usage: \S+/, `Usage: ${parent.split(" ")[0]}`)
    .replaceAll(/[ \t]+$/gm, "")
    .trim();
}
