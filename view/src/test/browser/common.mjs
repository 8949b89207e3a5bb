// Starts gammanet view and a browser for it.
//
// GAMMANET           command that starts gammanet; default: the launcher of this project
// GAMMANET_CHROMIUM  the browser; default: /usr/bin/chromium

import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';

export const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** Starts the server; its address and when it was started. */
export async function start(...options) {
  const [command, ...words] = (process.env.GAMMANET ?? root + 'cli/gammanet').split(' ');
  const began = performance.now();
  const server = spawn(command, [...words, 'view', '--no-open', ...options], {cwd: root, stdio: ['ignore', 'pipe', 'inherit']});
  for await (const line of createInterface({input: server.stdout})) {
    if (line.startsWith('http://')) return {server, address: line.trim(), began};
  }
  throw new Error('gammanet view has printed no address');
}

export function browser() {
  // Debian's build needs no sandbox of its own in containers; nothing but our page is opened.
  return chromium.launch({executablePath: process.env.GAMMANET_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox']});
}

/** Waits until everything that the page shows is computed and drawn. */
export async function settled(page) {
  await page.waitForFunction(() => document.body.dataset.busy === 'false', null, {timeout: 120000});
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Opens what an address of the page describes. */
export async function show(page, address, state) {
  await page.goto('about:blank');
  await page.goto(address + '#' + new URLSearchParams(state));
  await settled(page);
}
