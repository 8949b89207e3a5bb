// Makes the pictures of docs/view.md: npm ci && node screenshots.mjs

import {browser, root, show, start} from './common.mjs';

const {server, address} = await start('samples/chelsea.png');
const chromium = await browser();

async function page(width, height, colorScheme = 'light', deviceScaleFactor = 1) {
  const context = await chromium.newContext({viewport: {width, height}, colorScheme, deviceScaleFactor});
  return context.newPage();
}

/** Writes docs/images/view-NAME.png, or .jpg where there is a photo in it. */
async function save(target, name, options = {}) {
  const photo = name.endsWith('.jpg');
  // The bar of time lies over what is below it: it is left out of the pictures of single cards.
  const bar = target.page && !name.startsWith('time');
  const owner = bar ? target.page() : null;
  await owner?.evaluate(() => (document.querySelector('.transport').hidden = true));
  await target.screenshot({path: `${root}docs/images/view-${name}`, type: photo ? 'jpeg' : 'png', ...(photo ? {quality: 84} : {}), ...options});
  await owner?.evaluate(() => (document.querySelector('.transport').hidden = false));
  console.log('docs/images/view-' + name);
}

const photo = {input: 'photo', T: 8, unit: '150.95', site: 'fgru_0', channel: 'all'};

const wide = await page(1600, 1000);
await show(wide, address, photo);
await save(wide, 'page.jpg');
await save(wide.locator('#edges-card'), 'edges.jpg');
await save(wide.locator('#states-card'), 'states.jpg');
await save(wide.locator('#unit-card'), 'unit.png');
await save(wide.locator('#change-card'), 'change.png');
await save(wide.locator('.transport'), 'time.png');

await show(wide, address, {...photo, mode: 'change', t: 2});
await save(wide.locator('#edges-card'), 'change-map.png');

const dark = await page(1600, 1000, 'dark');
await show(dark, address, {input: 'tilt', 's.tilt': 20, T: 4, unit: '128.128', site: 'fgru_1', channel: 'mean', lesions: 'inhibition'});
await save(dark, 'lesion.png');
await save(dark.locator('#input-card'), 'stimulus.png');

await show(wide, address, {...photo, channel: 'mean', T: 4, light: 'fgru_0~E~silence~0~1~4~150.95.24_185.60.16'});
await save(wide, 'light.jpg');

await show(wide, address, {input: 'photo', T: 4, nets: 'bundled,random', site: 'fgru_0', channel: 'mean', lesions: 'top_down'});
await save(wide.locator('main'), 'networks.jpg');

await chromium.close();
server.kill('SIGINT');
