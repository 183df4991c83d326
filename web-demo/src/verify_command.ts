/** The command that convinces anyone. `url` may come from a link that somebody made: in a shell it has to stay one word. */
export function verifyCommand(url: string, file: string): string {
  const { origin, pathname } = new URL(url);
  const quoted = `${origin}${pathname.replace(/\/+$/, "")}`.replace(/'/g, "%27");
  return `ocelli verify --url '${quoted}' --evidence ${file}`;
}
