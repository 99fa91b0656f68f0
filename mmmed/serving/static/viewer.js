// The scan with its mask, drawn by NiiVue from bytes that the page has fetched: NiiVue
// itself requests nothing. Not here: jobs, tables, controls.

// Colours of labels 1, 2, … that colour-blind people tell apart (Okabe and Ito).
const COLORS = [[213, 94, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167],
  [240, 228, 66], [86, 180, 233]];
const NIFTI_INTENT_LABEL = 1002;
// NiiVue leaves a layer of opacity 0 out, and its contour with it.
const BARELY = 0.004;

function makePalette() {
  const channel = (k) => [0, ...Array.from({ length: 255 },
    (_, label) => COLORS[label % COLORS.length][k])];
  return { R: channel(0), G: channel(1), B: channel(2),
    A: [0, ...Array(255).fill(255)], I: Array.from({ length: 256 }, (_, k) => k) };
}

export class Viewer {
  static async create(canvas, place) {
    const { Niivue } = window.niivue;
    const nv = new Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.34, 0.71, 0.91, 0.8],
      crosshairWidth: 0.5,
      crosshairGap: 6,
      show3Dcrosshair: false,
      isColorbar: false,
      isOrientCube: false,
      isRadiologicalConvention: true,
      loadingText: '',
      multiplanarShowRender: 0,
      dragAndDropEnabled: false,
      fontMinPx: 15,
      fontSizeScaling: 0.6,
      tileMargin: 4,
      onLocationChange: (location) => {
        const mm = Array.from(location.mm).slice(0, 3).map((v) => v.toFixed(1));
        place.textContent = `At ${mm.join(', ')} mm (right, anterior, superior). `
          + "Patient's left is on the right of the picture.";
      },
    });
    await nv.attachToCanvas(canvas);
    return new Viewer(nv);
  }

  constructor(nv) {
    this.nv = nv;
    this.views = { multiplanar: nv.sliceTypeMultiplanar, axial: nv.sliceTypeAxial,
      coronal: nv.sliceTypeCoronal, sagittal: nv.sliceTypeSagittal };
  }

  async show(image, mask) {
    for (const volume of [...this.nv.volumes]) this.nv.removeVolume(volume);
    await this.nv.loadFromArrayBuffer(image, 'image.nii.gz');
    await this.nv.loadFromArrayBuffer(mask, 'mask.nii.gz');
    const overlay = this.nv.volumes[1];
    overlay.hdr.intent_code = NIFTI_INTENT_LABEL;
    overlay.setColormapLabel(makePalette());
    this.nv.setInterpolation(false);
    this.nv.setSliceType(this.views.multiplanar);
    this.nv.updateGLVolume();
  }

  // How the mask is drawn: its contour is always stronger than its area.
  setMask(opacity, isContour) {
    if (this.nv.volumes.length < 2) return;
    this.nv.setOpacity(1, isContour ? BARELY : Math.max(opacity, BARELY));
    this.nv.setAtlasOutline(Math.min(1, Math.max(2 * opacity, BARELY)));
  }

  setView(name) {
    this.nv.setSliceType(this.views[name]);
  }

  goTo(mm) {
    if (!this.nv.volumes.length) return;
    this.nv.scene.crosshairPos = this.nv.mm2frac(mm);
    this.nv.createOnLocationChange();
    this.nv.drawScene();
  }
}
