// The page in a browser: everything that a user does, and that nothing leaves the machine.
// Run by mvn -Pbrowser verify, or: npm ci && node test.mjs

import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {browser, root, settled, show, start} from './common.mjs';

const folder = mkdtempSync(join(tmpdir(), 'gammanet-view-'));
const {server, address, began} = await start('samples/chelsea.png', '--timesteps', '4', '--size', '256');
const chromium = await browser();
const requests = [];
const complaints = [];

async function open(options) {
  const context = await chromium.newContext({viewport: {width: 1600, height: 1000}, ...options});
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  page.on('request', request => requests.push(request.url()));
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(error.message));
  return page;
}

let failures = 0;
async function check(name, body) {
  const since = performance.now();
  try {
    await body();
    console.log(`ok    ${name} (${Math.round(performance.now() - since)} ms)`);
  } catch (error) {
    failures++;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}

/** A digest of what a canvas shows. */
const look = (page, selector) =>
  page.$eval(selector, canvas => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0;
    for (const v of data) hash = (hash * 31 + v) | 0;
    return hash;
  });
const EDGES = '#stages figure:last-child canvas';
const text = (page, selector) => page.$eval(selector, element => element.textContent);

const page = await open();

await check('load: the first edge map', async () => {
  await page.goto(address);
  await page.waitForFunction(() => document.querySelector('#stages figure')?.dataset.timestep > 0);
  console.log(`      first edge map ${Math.round(performance.now() - began)} ms after start`);
  await settled(page);
  assert.equal(await text(page, '#time-text'), 'timestep 4');
  const varied = await page.$eval(EDGES, canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size);
  assert.ok(varied > 50, `${varied} different values`);
});

await check('scrub: by keys, by the slider, by playing', async () => {
  const last = await look(page, EDGES);
  await page.keyboard.press('Home');
  await settled(page);
  assert.equal(await text(page, '#time-text'), 'timestep 1');
  assert.notEqual(await look(page, EDGES), last);
  await page.keyboard.press('ArrowRight');
  await page.locator('#time').fill('4');
  await settled(page);
  assert.equal(await look(page, EDGES), last);
  await page.locator('#edges-title').click();
  await page.keyboard.press('Space');
  await page.waitForFunction(() => document.getElementById('time').value === '2');
  await page.keyboard.press('Space');
});

await check('change: what differs from the timestep before', async () => {
  await page.click('[data-mode="change"]');
  await settled(page);
  assert.ok(await page.isVisible('#change-scale'));
  await page.click('[data-mode="over"]');
  assert.ok(await page.isVisible('#chart-change canvas'));
});

await check('states: layers and channels', async () => {
  await page.selectOption('#channel', 'all');
  await settled(page);
  const grid = await page.$eval('#states canvas', canvas => canvas.width);
  await page.keyboard.press(']');
  await page.selectOption('#channel', '3');
  await settled(page);
  assert.equal(await page.$eval('#site', select => select.value), 'fgru_1');
  assert.ok((await page.$eval('#states canvas', canvas => canvas.width)) < grid);
  await page.selectOption('#site', 'fgru_0');
  await settled(page);
});

await check('a unit: traces and what reaches it', async () => {
  await page.locator('#stages canvas').click({position: {x: 200, y: 150}});
  await settled(page);
  assert.equal(await page.locator('.charts canvas').count(), 3);
  const titles = await page.locator('.maprow b').allTextContents();
  assert.deepEqual(titles, ['Image', 'Horizontal, from E', 'Horizontal, from I', 'Top-down']);
  const before = await text(page, '#unit-name');
  await page.keyboard.press('.');
  await settled(page);
  assert.notEqual(await text(page, '#unit-name'), before);
  await page.keyboard.press('Shift+ArrowLeft');
  await settled(page);
});

await check('the address shows it all again', async () => {
  const other = await open();
  await other.goto(page.url());
  await settled(other);
  assert.equal(await text(other, '#unit-name'), await text(page, '#unit-name'));
  assert.equal(await look(other, EDGES), await look(page, EDGES));
  await other.context().close();
});

await check('stimuli: a slider and the response', async () => {
  await page.click('[data-input="grating"]');
  await settled(page);
  const seen = await look(page, EDGES);
  const slider = page.locator('[data-slider="orientation"]');
  await slider.focus();
  await page.keyboard.press('ArrowRight');
  await settled(page);
  assert.notEqual(await look(page, EDGES), seen);
  assert.match(page.url(), /s\.orientation=35/);
  for (const kind of ['disc_in_ring', 'flanked_bars', 'tilt']) {
    await page.click(`[data-input="${kind}"]`);
    await settled(page);
  }
  assert.ok(await page.isHidden('#message'));
});

await check('lesion: intact and perturbed side by side', async () => {
  await page.getByLabel('No inhibition').check();
  await settled(page);
  assert.deepEqual(await page.locator('#stages .name').allTextContents(), ['intact', 'perturbed']);
  assert.notEqual(await look(page, '#stages figure:first-child canvas'), await look(page, EDGES));
  await page.getByLabel('No inhibition').uncheck();
});

await check('light: a brush', async () => {
  await page.click('#brush');
  const box = await page.locator('#stages canvas').boundingBox();
  await page.mouse.move(box.x + 100, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 180, box.y + 120, {steps: 6});
  await page.mouse.up();
  await page.keyboard.press('Escape');
  await settled(page);
  assert.equal(await page.locator('#lights li').count(), 1);
  assert.notEqual(await look(page, '#stages figure:first-child canvas'), await look(page, EDGES));
  await page.click('#light-clear');
  await settled(page);
  assert.equal(await page.locator('#stages figure').count(), 1);
});

await check('networks side by side', async () => {
  await page.check('#nets [value="random"]');
  await settled(page);
  assert.equal(await page.locator('#stages figure').count(), 2);
  await page.uncheck('#nets [value="random"]');
  await settled(page);
});

const drop = (name, bytes) =>
  page.evaluate(
    ([file, content]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(content)], file));
      document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
    },
    [name, [...bytes]],
  );

await check('drop: a broken file is refused in words, a photo is shown', async () => {
  await drop('broken.jpg', Buffer.from('no image'));
  await page.waitForSelector('#message:not([hidden])');
  assert.match(await text(page, '#message span'), /broken\.jpg/);
  await drop('coffee.png', readFileSync(root + 'samples/coffee.png'));
  await page.waitForFunction(() => document.getElementById('photo-name').textContent.startsWith('coffee.png'));
  await settled(page);
  assert.ok(await page.isHidden('#message'));
});

async function exported(kind) {
  await page.click('#export summary');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(`[data-export="${kind}"]`)]);
  const file = join(folder, download.suggestedFilename());
  await download.saveAs(file);
  return file;
}

await check('export: figure and numbers', async () => {
  await page.keyboard.press('u');
  await settled(page);
  const svg = readFileSync(await exported('svg'), 'utf8');
  assert.match(svg, /^<svg[\s\S]*<image[\s\S]*<polyline/);
  const png = readFileSync(await exported('png'));
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  assert.equal(png.readUInt32BE(16), 2400);
  const csv = readFileSync(await exported('csv'), 'utf8').split('\n');
  assert.equal(csv[0], 'network,condition,layer,x,y,quantity,channel,timestep,value');
  assert.ok(csv.some(line => /^bundled,intact,fgru_0,\d+,\d+,g1,0,4,0\.\d+/.test(line)));
});

await check('export: one file, opened without the server', async () => {
  const file = await exported('html');
  const other = await open();
  const before = requests.length;
  await other.goto('file://' + file);
  await settled(other);
  assert.deepEqual(requests.slice(before).filter(url => !/^(file|data|blob):/.test(url)), []);
  assert.equal(await look(other, EDGES), await look(page, EDGES));
  assert.equal(await text(other, '#unit-name'), await text(page, '#unit-name'));
  assert.equal(await other.locator('.maprow b').count(), 4);
  await other.keyboard.press('Home');
  await other.selectOption('#site', 'td_fgru_1');
  await settled(other);
  assert.equal(await text(other, '#time-text'), 'timestep 1');
  assert.ok(await other.isVisible('#states canvas'));
  console.log(`      ${(readFileSync(file).length / 1e6).toFixed(1)} MB`);
  await other.context().close();
});

await check('360 to 2000 pixels, light and dark: nothing is wider than the page', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const other = await open({colorScheme});
    for (const width of [360, 480, 768, 1024, 1366, 1600, 2000]) {
      await other.setViewportSize({width, height: 900});
      await show(other, address, {input: 'tilt', unit: '128.128', lesions: 'horizontal'});
      const wide = await other.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide at ${width}`);
      const out = await other.evaluate(() =>
        [...document.querySelectorAll('.card, .card button, .card select, .card canvas, .transport > *, .top > *')]
          .filter(element => element.offsetWidth && element.getBoundingClientRect().right > innerWidth + 1)
          .map(element => element.id || element.className || element.tagName),
      );
      assert.deepEqual(out, [], `at ${width}`);
    }
    await other.context().close();
  }
});

await check('the address without its token is refused', async () => {
  const other = await open();
  const answer = await other.goto(new URL('/', address).href);
  assert.equal(answer.status(), 403);
  await other.context().close();
  complaints.length = 0; // the browser reports the refusal
});

await check('twenty tabs, killed', async () => {
  const second = await browser();
  const context = await second.newContext();
  await Promise.all(
    Array.from({length: 20}, async () => {
      const tab = await context.newPage();
      await tab.goto(address + '#T=16&unit=100.80', {waitUntil: 'commit', timeout: 120000});
    }),
  );
  await second.close();
  await show(page, address, {input: 'grating'});
  assert.ok((await page.$eval('#stages figure', figure => figure.dataset.timestep)) > 0);
});

await check('no request has left the machine, and nothing complained', async () => {
  assert.deepEqual(requests.filter(url => !url.startsWith(address) && !/^(file|data|blob|about):/.test(url) && url !== new URL('/', address).href), []);
  assert.deepEqual(complaints, []);
});

await chromium.close();
server.kill('SIGINT');
rmSync(folder, {recursive: true});
console.log(failures ? `${failures} failed` : 'all passed');
process.exit(failures ? 1 : 0);
