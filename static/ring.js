/** The oval over the preview, and the ring around it that fills as a step gets on. */

/** Height of the oval in shorter sides of the picture: a face at arm's length fills it. */
const OVAL_HEIGHT = 0.78;
/** A face with its forehead and chin is about three quarters as wide as it is high. */
const OVAL_ASPECT = 0.76;
/** The oval's part of the stage at most, so that ring and cue stay inside. */
const STAGE_SHARE = 0.84;

export class Ring {
  #shape = '';
  #progress = 0;
  #turn = '';

  /**
   * @param {HTMLElement} stage
   * @param {HTMLVideoElement} video
   */
  constructor(stage, video) {
    this.stage = stage;
    this.video = video;
    this.svg = part(stage, 'svg.oval');
    this.scrim = part(stage, '.scrim');
    this.track = part(stage, '.track');
    this.fill = /** @type {SVGPathElement} */ (part(stage, '.fill'));
    new ResizeObserver(() => this.layout()).observe(stage);
    video.addEventListener('resize', () => this.layout());
  }

  /** Fit the oval to the stage and to the picture that fills it. */
  layout() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const { videoWidth = 0, videoHeight = 0 } = this.video;
    if (!width || !height) return;
    const scale = videoWidth ? Math.max(width / videoWidth, height / videoHeight) : 0;
    const side = scale ? Math.min(videoWidth, videoHeight) * scale : Math.min(width, height);
    const ry = Math.min(side * OVAL_HEIGHT, height * STAGE_SHARE, (width * STAGE_SHARE) / OVAL_ASPECT) / 2;
    this.#draw(width, height, ry * OVAL_ASPECT, ry);
  }

  /**
   * @param {number} progress of the step, 0..1
   * @param {import('./words.js').Challenge} challenge a turn to the left fills to the left
   */
  show(progress, challenge) {
    this.#progress = progress;
    this.#turn = challenge === 'left' ? 'left' : 'right';
    this.#fill();
  }

  /**
   * @param {number} width
   * @param {number} height
   * @param {number} rx
   * @param {number} ry
   */
  #draw(width, height, rx, ry) {
    const [x, y] = [width / 2, height / 2];
    const half = (/** @type {number} */ to) => `A ${rx} ${ry} 0 0 1 ${x} ${to}`;
    this.#shape = `M ${x} ${y - ry} ${half(y + ry)} ${half(y - ry)} Z`;
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.scrim.setAttribute('d', `M 0 0 H ${width} V ${height} H 0 Z ${this.#shape}`);
    this.track.setAttribute('d', this.#shape);
    for (const [name, value] of Object.entries({ x, y, rx, ry })) {
      this.stage.style.setProperty(`--oval-${name}`, `${value}px`);
    }
    this.#fill();
  }

  #fill() {
    const left = this.#shape.replaceAll(' 0 0 1 ', ' 0 0 0 ');
    this.fill.setAttribute('d', this.#turn === 'left' ? left : this.#shape);
    this.fill.style.strokeDashoffset = String(100 * (1 - this.#progress));
    this.fill.style.opacity = this.#progress > 0 ? '1' : '0';
  }
}

/**
 * @param {ParentNode} parent
 * @param {string} selector
 * @returns {Element}
 */
function part(parent, selector) {
  const found = parent.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}
