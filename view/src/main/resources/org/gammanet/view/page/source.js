// Where numbers come from: the server, or the file that an export has made of them.

/** Reads frames from a stream: length of the header, header, data. */
async function* frames(stream) {
  const reader = stream.getReader();
  let chunks = [];
  let size = 0;
  const take = async count => {
    while (size < count) {
      const {done, value} = await reader.read();
      if (done) return null;
      chunks.push(value);
      size += value.length;
    }
    const out = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const chunk = chunks[0];
      const part = chunk.subarray(0, count - at);
      out.set(part, at);
      at += part.length;
      if (part.length === chunk.length) chunks.shift();
      else chunks[0] = chunk.subarray(part.length);
    }
    size -= count;
    return out;
  };
  for (;;) {
    const length = await take(4);
    if (!length) return;
    const json = await take(new DataView(length.buffer).getUint32(0, true));
    const header = json && JSON.parse(new TextDecoder().decode(json));
    const data = header && (await take(header.bytes));
    if (!data) return;
    yield {header, data};
  }
}

/** Values of a frame of steps between lo and hi. */
export function unpack({header, data}) {
  const steps = header.steps === 8 ? data : new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  const out = new Float32Array(steps.length);
  const scale = (header.hi - header.lo) / (header.steps === 8 ? 255 : 65535);
  for (let i = 0; i < out.length; i++) out[i] = header.lo + scale * steps[i];
  return out;
}

/** Values of a frame of float32. */
export function floats({data}) {
  return new Float32Array(data.buffer, data.byteOffset, data.length / 4);
}

export class Failure extends Error {}

/** The server that this page came from. */
export class Server {
  live = true;

  async setup() {
    return (await this.#fetch('setup')).json();
  }

  /** A file of the page, as text. */
  async text(name) {
    return (await this.#fetch(name)).text();
  }

  async #fetch(path, options) {
    let response;
    try {
      response = await fetch(path, options);
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Failure('gammanet does not answer: it has been stopped, or its computer is asleep. Start it again, and open the address that it prints.');
    }
    if (!response.ok) {
      let message = `the server answers with ${response.status}`;
      try {
        message = (await response.json()).message;
      } catch {
        // not from our server
      }
      throw new Failure(message);
    }
    return response;
  }

  /** Computes; calls back with each frame. */
  async #stream(path, body, type, onFrame, signal) {
    const response = await this.#fetch(path, {method: 'POST', body, headers: {'Content-Type': type}, signal});
    let ended = false;
    try {
      for await (const frame of frames(response.body)) {
        if (frame.header.kind === 'error') throw new Failure(frame.header.message);
        ended = frame.header.kind === 'end';
        if (!ended) onFrame(frame);
      }
    } catch (error) {
      if (error instanceof Failure || error.name === 'AbortError') throw error;
      ended = false;
    }
    if (!ended) throw new Failure('the answer broke off: gammanet has been stopped');
  }

  run(body, onFrame, signal) {
    return this.#stream('run', JSON.stringify(body), 'application/json', onFrame, signal);
  }

  unit(body, onFrame, signal) {
    return this.#stream('unit', JSON.stringify(body), 'application/json', onFrame, signal);
  }

  /** Sends a photo; what the server calls it. */
  async photo(file) {
    if (file.size > 64 * 2 ** 20) throw new Failure(`${file.name} is larger than 64 MB`);
    let photo = null;
    await this.#stream('photo?name=' + encodeURIComponent(file.name), file, 'application/octet-stream', frame => {
      if (frame.header.kind === 'photo') photo = frame.header;
    });
    return photo;
  }
}

/** What an export has stored: frames of runs with all states, and of the unit that was chosen. */
export class Stored {
  live = false;
  #index;
  #bytes;

  static async open(element) {
    const stored = new Stored();
    stored.#index = JSON.parse(element.textContent);
    const packed = document.getElementById('stored-data').textContent.trim();
    const bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0));
    const unpacked = new Response(bytes).body.pipeThrough(new DecompressionStream('gzip'));
    stored.#bytes = new Uint8Array(await new Response(unpacked).arrayBuffer());
    return stored;
  }

  async setup() {
    return this.#index.setup;
  }

  get address() {
    return this.#index.address;
  }

  #frame({header, at}) {
    // a copy, since 16-bit values must lie at even places
    return {header, data: this.#bytes.slice(at, at + header.bytes)};
  }

  async run(body, onFrame) {
    const run = this.#index.runs[body.column];
    for (const entry of run ?? []) {
      const {kind, site} = entry.header;
      if (kind !== 'state') onFrame(this.#frame(entry));
      else if (site === body.states.site) onFrame(reduced(this.#frame(entry), body.states.channel));
    }
  }

  async unit(body, onFrame) {
    const unit = this.#index.units[body.column];
    const same = unit && JSON.stringify(unit.unit) === JSON.stringify(body.unit);
    if (!same) throw new Failure('This file has the inputs of one unit only, which was chosen at the export; it has the states of all cells.');
    for (const entry of unit.frames) onFrame(this.#frame(entry));
  }
}

/** One channel, or the mean of all, of a frame with all channels. */
function reduced(frame, channel) {
  if (channel === 'all') return frame;
  const {channels, height, width} = frame.header;
  const plane = height * width;
  const all = unpack(frame);
  const out = new Float32Array(plane);
  for (let c = 0; c < channels; c++) {
    if (channel !== 'mean' && channel !== c) continue;
    for (let i = 0; i < plane; i++) out[i] += channel === 'mean' ? all[c * plane + i] / channels : all[c * plane + i];
  }
  return {header: {...frame.header, channels: 1}, data: frame.data, values: out};
}
