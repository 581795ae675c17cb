/** The compiled command line's list of commands, none of which is loaded for it, and each command's own help. */
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { DESCRIPTIONS } from '../src/cli/descriptions.js';
import { runCli } from './support/run-cli.js';

const NAMES = Object.keys(DESCRIPTIONS);
const cwd = tmpdir();
const unwrapped = (text: string): string => text.replaceAll(/\s+/g, ' ');

it.each([[['--help'], 0], [['help'], 0], [[], 2], [['trian'], 2]] as const)('onefold %j lists all commands', async (args, exit) => {
  const result = await runCli(args, { cwd });
  expect(result.exit).toBe(exit);
  const text = unwrapped(exit === 0 ? result.stdout : result.stderr);
  for (const [name, description] of Object.entries(DESCRIPTIONS)) expect(text).toContain(` ${name} ${description}`);
  if (args[0] === 'trian') expect(text).toContain(`error: unknown command 'trian' (Did you mean train?)`);
});

it('every command has its own help, asked for in either way', async () => {
  const helps = await Promise.all(NAMES.map(async (name) => [await runCli([name, '--help'], { cwd }), await runCli(['--verbose', 'help', name], { cwd })] as const));
  helps.forEach(([help, same], index) => {
    expect(help).toMatchObject({ exit: 0, stderr: '', stdout: expect.stringContaining(`Usage: onefold ${NAMES[index]!} [options]`) as string });
    expect(help.stdout).toMatch(/Examples:\n/);
    expect(same).toEqual(help);
  });
});
