/**
 * One attempt at the check, from the camera to the verdict.
 *
 * @typedef {{
 *   camera: (stream: MediaStream) => void,
 *   state: (state: import('./channel.js').State) => void,
 * }} Listeners
 */

import { chooseCamera, closeCamera, openCamera } from './camera.js';
import { listen } from './channel.js';
import { Problem } from './problem.js';
import { createSession, readSession } from './session.js';
import { keepAwake } from './wakelock.js';
import { iceServers, WhipClient } from './whip.js';

/** Verdicts about a connection that broke, which a page in the background explains better. */
const BREAKS = ['peer_left', 'no_media'];

export class Attempt {
  #end = new AbortController();
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {WhipClient | null} */
  #whip = null;
  #wasHidden = false;
  /** @type {(problem: Problem) => void} */
  #fail = () => {};

  /**
   * @param {import('./session.js').Session | null} session that was given, if one was
   * @param {Listeners} listeners
   */
  constructor(session, listeners) {
    this.session = session;
    this.listeners = listeners;
  }

  /**
   * Run to the end; the camera and the connection are released then, whatever came of it.
   *
   * @returns {Promise<import('./session.js').Verdict | null>} null when it was cancelled
   * @throws {Problem}
   */
  async run() {
    const { signal } = this.#end;
    const failure = new Promise((_, reject) => { this.#fail = reject; });
    const cancelled = new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(null));
    });
    document.addEventListener('visibilitychange', () => { this.#wasHidden = true; }, { signal });
    try {
      const check = this.#check().catch((error) => this.#recorded(error));
      const verdict = await Promise.race([check, failure, cancelled]);
      if (verdict) this.#keep();
      return this.#explained(verdict);
    } finally {
      this.cancel();
    }
  }

  /** Give up, and release everything. */
  cancel() {
    this.#end.abort();
    closeCamera(this.#stream);
    this.#whip?.leave();
    this.#whip = null;
  }

  /**
   * Go on with another camera. The old one is closed first: many phones open only one at a time.
   *
   * @param {string} deviceId
   */
  async switchCamera(deviceId) {
    closeCamera(this.#stream);
    try {
      await this.#whip?.replace(this.#use(await chooseCamera(deviceId)));
    } catch (error) {
      this.#fail(Problem.of(error));
    }
  }

  /** @returns {Promise<import('./session.js').Verdict>} */
  async #check() {
    if (!globalThis.RTCPeerConnection) throw new Problem('unsupported');
    const stream = this.#use(await openCamera());
    this.session ??= await createSession();
    const { whipUrl, token } = this.session;
    const servers = await iceServers(whipUrl, token);
    if (this.#end.signal.aborted) throw new Problem('interrupted');
    const whip = new WhipClient(whipUrl, token, servers);
    this.#whip = whip;
    keepAwake(this.#end.signal);
    const verdict = this.#listen(whip);
    await Promise.race([whip.publish(stream), verdict]);
    return verdict;
  }

  /**
   * @param {WhipClient} whip
   * @returns {Promise<import('./session.js').Verdict>}
   */
  #listen(whip) {
    return new Promise((resolve, reject) => {
      const stop = listen(whip.peer, whip.channel, {
        state: this.listeners.state,
        verdict: resolve,
        problem: reject,
      });
      this.#end.signal.addEventListener('abort', stop);
    });
  }

  /**
   * @param {MediaStream} stream
   * @returns {MediaStream}
   */
  #use(stream) {
    this.#stream = stream;
    if (this.#end.signal.aborted) closeCamera(stream); // cancelled while the browser asked
    const unplugged = () => this.#fail(new Problem('camera_lost'));
    stream.getVideoTracks()[0].addEventListener('ended', unplugged);
    this.listeners.camera(stream);
    return stream;
  }

  /** Close the connection but leave the session, which has its verdict, on the server. */
  #keep() {
    this.#whip?.close();
    this.#whip = null;
  }

  /**
   * The verdict that a lost connection kept from arriving, if the server has one.
   *
   * @param {unknown} error
   * @returns {Promise<import('./session.js').Verdict>}
   */
  async #recorded(error) {
    const problem = Problem.of(error);
    if (problem.code === 'link_used' && !this.session?.given) throw new Problem('server');
    if (problem.code !== 'lost' || !this.session) throw problem;
    const { verdict } = await readSession(this.session).catch(() => ({ verdict: null }));
    if (verdict && !BREAKS.some((reason) => verdict.reasons.includes(reason))) return verdict;
    throw this.#wasHidden ? new Problem('interrupted') : problem;
  }

  /**
   * @template {import('./session.js').Verdict | null} V
   * @param {V} verdict
   * @returns {V}
   */
  #explained(verdict) {
    if (this.#wasHidden && BREAKS.some((reason) => verdict?.reasons.includes(reason))) {
      throw new Problem('interrupted');
    }
    return verdict;
  }
}
