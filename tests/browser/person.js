/**
 * Somebody before the camera: `getUserMedia` gives a canvas that shows rendered poses and reacts to
 * what the data channel says. `window.person` lets a test tell them how to behave.
 */
(() => {
  const POSES = '/poses.json'; // routed by the tests: where each pose lies in `/poses.jpg`
  const SPEED = 7; // 1/s: a turn of 28 degrees takes about half a second
  const TURN = 28;
  const INSIST_MS = 3000;
  const BLINK_MS = 220;
  const BLINK_PAUSE_MS = 1000;
  const SIDE = { right: -1, left: 1 };

  const person = {
    /** How many steps they take part in: they look away from `front`, and do nothing later. */
    allowed: Infinity,
    /** Their camera gives no more pictures. */
    frozen: false,
    /** After a prompt, milliseconds. */
    reaction: 400,
    /** Turns to the other side when asked to turn, looks ahead again, and so on. */
    contrary: false,
    /** The track, to be unplugged. */
    track: null,
    refusal: null,
    ...window.behaviour,
  };
  window.person = person;

  let task = { step: -1, challenge: 'front', hint: null, since: 0, more: 0 };
  const hear = ({ type, step, challenge, hint }) => {
    if (type !== 'state') return;
    if (step === task.step && challenge === task.challenge) task.hint = hint;
    else task = { step, challenge, hint, since: performance.now(), more: 0 };
  };

  const createDataChannel = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function create(...options) {
    const channel = createDataChannel.apply(this, options);
    channel.addEventListener('message', ({ data }) => hear(JSON.parse(data)));
    return channel;
  };

  let yaw = 0;
  let blinked = -Infinity;
  const move = (now, seconds) => {
    const acting = now - task.since - person.reaction;
    const acts = task.step < person.allowed && acting > 0;
    const side = (SIDE[task.challenge] ?? 0) * (person.contrary ? -1 : 1);
    const rests = person.contrary && acting % INSIST_MS > INSIST_MS / 2;
    const straight = !acts || rests || task.hint === 'look_straight';
    if (acts && task.hint === 'turn_more') task.more = Math.min(5, task.more + 3 * seconds);
    const waits = task.challenge === 'front' && task.step >= person.allowed;
    const goal = waits ? TURN : straight ? 0 : side * (TURN + task.more);
    yaw += (goal - yaw) * (1 - Math.exp(-SPEED * seconds));
    const rested = Math.abs(yaw) < 2;
    if (acts && task.challenge === 'blink' && rested && now - blinked > BLINK_PAUSE_MS) blinked = now;
    return Math.max(0, Math.sin((Math.PI * (now - blinked)) / BLINK_MS)) * (now - blinked < BLINK_MS);
  };

  const noise = (width, height) => {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d');
    const grain = context.createImageData(width, height);
    for (let at = 0; at < grain.data.length; at += 4) {
      grain.data.fill(Math.random() * 255, at, at + 3);
      grain.data[at + 3] = 14;
    }
    context.putImageData(grain, 0, 0);
    return canvas;
  };

  const film = async () => {
    const { size: [width, height], yaws, closures } = await (await fetch(POSES)).json();
    const sheet = await createImageBitmap(await (await fetch('/poses.jpg')).blob());
    const columns = sheet.width / width;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext('2d');
    const grain = noise(2 * width, 2 * height);
    const nearest = (values, wanted) =>
      values.reduce((best, value, at) =>
        Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? at : best, 0);
    let last = performance.now();
    const draw = () => {
      if (person.frozen) return;
      const now = performance.now();
      const closure = move(now, (now - last) / 1000);
      last = now;
      const pose = closure > 0 ? yaws.length + nearest(closures, closure) : nearest(yaws, yaw);
      const [x, y] = [(pose % columns) * width, Math.floor(pose / columns) * height];
      const [right, down] = [2.2 * Math.sin(now / 1100), 1.6 * Math.sin(now / 640)];
      context.drawImage(sheet, x, y, width, height, right - 4, down - 3, width + 8, height + 6);
      context.drawImage(grain, -Math.random() * width, -Math.random() * height);
    };
    draw();
    setInterval(draw, 1000 / 30);
    return canvas.captureStream(30);
  };

  if (navigator.mediaDevices && !person.real) {
    navigator.mediaDevices.getUserMedia = async () => {
      if (person.refusal) throw new DOMException('refused', person.refusal);
      const stream = await film();
      [person.track] = stream.getVideoTracks();
      return stream;
    };
  }
})();
