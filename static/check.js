/**
 * The check in its place: the preview, one prompt, one hint. The page shows it as one of its views,
 * `embed.js` inside a page of others.
 *
 * @typedef {{
 *   opened?: () => void,
 *   state?: (state: import('./channel.js').State) => void,
 * }} Listeners `opened`: the camera gives its picture
 */

import { Attempt } from './attempt.js';
import { listCameras } from './camera.js';
import { Prompter } from './prompter.js';
import { Ring } from './ring.js';
import { fillCameras, fillWords } from './view.js';
import { keepOpen } from './words.js';

/** Long enough to see that the last step has passed. */
export const FAREWELL_MS = 700;

const MARKUP = `
  <p id="prompt" class="prompt" aria-live="assertive" aria-atomic="true"></p>
  <div id="stage" class="stage">
    <video id="video" autoplay muted playsinline data-label="check.video"></video>
    <svg class="oval" aria-hidden="true">
      <path class="scrim" fill-rule="evenodd"/>
      <path class="track"/>
      <path class="fill" pathLength="100"/>
    </svg>
    <div class="cue" aria-hidden="true">
      <svg class="sign-front" viewBox="0 0 48 48"><circle cx="24" cy="24" r="6"/><path d="M24 7v6M24 35v6M7 24h6M35 24h6"/></svg>
      <svg class="sign-right" viewBox="0 0 48 48"><path d="m13 13 11 11-11 11"/><path d="m25 13 11 11-11 11"/></svg>
      <svg class="sign-left" viewBox="0 0 48 48"><path d="M35 13 24 24l11 11"/><path d="M23 13 12 24l11 11"/></svg>
      <svg class="sign-blink" viewBox="0 0 48 48">
        <g class="eye-open"><path d="M6 24c9-14 27-14 36 0-9 14-27 14-36 0Z"/><circle cx="24" cy="24" r="5.5"/></g>
        <g class="eye-shut"><path d="M6 23c9 11 27 11 36 0M12 30l-4 5M24 32v6M36 30l4 5"/></g>
      </svg>
    </div>
    <div class="tick" aria-hidden="true"><svg viewBox="0 0 48 48"><path d="m12 25 8.5 8.5L36 16"/></svg></div>
    <p id="hint" class="hint" aria-live="polite" aria-atomic="true"></p>
  </div>
  <div id="steps" class="steps" role="progressbar" aria-valuemin="0" aria-labelledby="count" hidden>
    <div id="dots" class="dots" aria-hidden="true"></div>
    <p id="count"></p>
  </div>
  <div class="tools">
    <div id="camera-choice" class="choice" hidden>
      <label for="camera" data-word="check.camera"></label>
      <select id="camera"></select>
    </div>
    <button id="cancel" class="quiet" type="button" data-word="check.cancel"></button>
  </div>
`;

export class Check {
  /** @type {Attempt | null} */
  #attempt = null;
  #seen = false;

  /**
   * @param {HTMLElement} place is filled with what is seen
   * @param {Listeners} listeners
   */
  constructor(place, listeners) {
    const template = document.createElement('template');
    template.innerHTML = MARKUP;
    fillWords(template.content);
    place.append(template.content);
    const part = (/** @type {string} */ id) => /** @type {HTMLElement} */ (place.querySelector(`#${id}`));
    this.place = place;
    this.listeners = listeners;
    this.part = part;
    this.video = /** @type {HTMLVideoElement} */ (part('video'));
    this.prompter = new Prompter(
      {
        stage: part('stage'),
        prompt: part('prompt'),
        hint: part('hint'),
        steps: part('steps'),
        dots: part('dots'),
        count: part('count'),
      },
      new Ring(part('stage'), this.video),
    );
    part('cancel').addEventListener('click', () => this.cancel());
    part('camera').addEventListener('change', ({ target }) => {
      void this.#attempt?.switchCamera(/** @type {HTMLSelectElement} */ (target).value);
    });
  }

  /** Whether somebody is at it. */
  get running() {
    return this.#attempt !== null;
  }

  /**
   * One attempt, from the camera to the verdict.
   *
   * @param {import('./session.js').Session | null} session null: one is made
   * @returns {Promise<import('./session.js').Verdict | null>} null when it was cancelled
   * @throws {import('./problem.js').Problem}
   */
  async run(session) {
    const end = new AbortController();
    this.#seen = false;
    this.place.dataset.phase = '';
    this.prompter.reset();
    this.#attempt = new Attempt(session, {
      camera: (stream) => this.#preview(stream),
      state: (state) => this.#show(state),
    });
    this.#watch(end.signal);
    try {
      return await this.#attempt.run();
    } finally {
      end.abort();
      this.#attempt = null;
      this.video.srcObject = null;
    }
  }

  /** Give up. */
  cancel() {
    this.#attempt?.cancel();
  }

  /** Show that everything has passed. */
  finish() {
    this.place.dataset.phase = 'passed';
    this.prompter.finish();
  }

  /** @param {AbortSignal} signal */
  #watch(signal) {
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.#seen) this.prompter.note(keepOpen);
    }, { signal });
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#showCameras(), { signal });
    addEventListener('pagehide', () => this.cancel(), { signal });
  }

  /** @param {MediaStream} stream */
  async #preview(stream) {
    this.video.srcObject = stream;
    this.listeners.opened?.();
    await this.#showCameras();
  }

  async #showCameras() {
    const stream = /** @type {MediaStream | null} */ (this.video.srcObject);
    const [track] = stream?.getVideoTracks() ?? [];
    if (!track) return;
    const cameras = await listCameras();
    const select = /** @type {HTMLSelectElement} */ (this.part('camera'));
    fillCameras(select, cameras, track.getSettings().deviceId);
    this.part('camera-choice').hidden = cameras.length < 2;
  }

  /** @param {import('./channel.js').State} state */
  #show(state) {
    this.#seen = true;
    this.prompter.show(state);
    this.listeners.state?.(state);
  }
}
