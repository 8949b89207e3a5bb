// How long the page takes: the first edge map after the start of the command, and a step of a slider.
// Run: npm ci && node times.mjs

import {browser, settled, start} from './common.mjs';

const chromium = await browser();
const {server, address, began} = await start('samples/chelsea.png', '--timesteps', '4', '--size', '256');
const page = await chromium.newPage();
await page.goto(address);
await page.waitForFunction(() => document.querySelector('#stages figure')?.dataset.timestep > 0);
console.log(`first edge map    ${Math.round(performance.now() - began)} ms after the start of the command`);
await settled(page);

await page.click('[data-input="grating"]');
await settled(page);
const steps = [];
for (let i = 0; i < 21; i++) {
  steps.push(
    await page.evaluate(async () => {
      const slider = document.querySelector('[data-slider="orientation"]');
      slider.value = (Number(slider.value) + 5) % 180;
      const since = performance.now();
      slider.dispatchEvent(new Event('input', {bubbles: true}));
      const idle = () => document.body.dataset.busy === 'false';
      await new Promise(done => new MutationObserver((_, observer) => idle() && (observer.disconnect(), done())).observe(document.body, {attributes: true}));
      await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
      return performance.now() - since;
    }),
  );
  await page.waitForTimeout(300);
}
steps.splice(0, 6); // the first steps warm the machine up
steps.sort((a, b) => a - b);
console.log(`step of a slider  ${Math.round(steps[7])} ms, median of 15 from its event to the new pictures (256x256, four timesteps)`);

await chromium.close();
server.kill();
