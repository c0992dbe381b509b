// A video for Chromium's fake camera: a warm disc on dark ground, then cold stripes, again and again.

const WIDTH = 160;
const HEIGHT = 120;
const FRAMES_PER_SECOND = 10;
const SECONDS_PER_SCENE = 8;

/** RGB to the Y'CbCr of BT.601, as YUV4MPEG2 has it. */
const yuv = ([r, g, b]) => [
  16 + (65.5 * r + 128.6 * g + 25 * b) / 255,
  128 + (-37.8 * r - 74.2 * g + 112 * b) / 255,
  128 + (112 * r - 93.8 * g - 18.2 * b) / 255,
];

const SCENES = {
  disc: (x, y, t) => {
    const [cx, cy] = [80 + 30 * Math.sin(t * 0.7), 60 + 20 * Math.cos(t * 0.9)];
    return Math.hypot(x - cx, y - cy) < 32 + 6 * Math.sin(t) ? [240, 140, 40] : [50, 20, 12];
  },
  stripes: (x, y, t) => ((x + y * 0.4 + t * 9) % 24 < 12 ? [40, 90, 220] : [225, 235, 250]),
};

function frame(scene, t) {
  const planes = [WIDTH * HEIGHT, (WIDTH * HEIGHT) / 4, (WIDTH * HEIGHT) / 4].map((size) => Buffer.alloc(size));
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [luma, cb, cr] = yuv(scene(x, y, t));
      planes[0][y * WIDTH + x] = luma + ((x * 7 + y * 13 + t * 31) % 9);
      if (x % 2 === 0 && y % 2 === 0) {
        const at = (y / 2) * (WIDTH / 2) + x / 2;
        planes[1][at] = cb;
        planes[2][at] = cr;
      }
    }
  }
  return Buffer.concat([Buffer.from('FRAME\n'), ...planes]);
}

/** The video, in the format YUV4MPEG2 (`.y4m`). */
export function video() {
  const parts = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n`)];
  for (const scene of Object.values(SCENES)) {
    for (let i = 0; i < FRAMES_PER_SECOND * SECONDS_PER_SCENE; i++) parts.push(frame(scene, i));
  }
  return Buffer.concat(parts);
}

/** Which scene a video element shows. */
export const sceneOf = (locator) =>
  locator.evaluate((element) => {
    if (!element.videoWidth) return null;
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    context.drawImage(element, 0, 0, 1, 1);
    const [red, , blue] = context.getImageData(0, 0, 1, 1).data;
    return red > blue ? 'disc' : 'stripes';
  });
