// The scan with its mask, drawn by NiiVue from bytes that the page has fetched: NiiVue
// itself requests nothing. Not here: jobs, tables, controls.
const ORANGE = { R: [0, 213, 213], G: [0, 94, 94], B: [0, 0, 0], A: [0, 255, 255],
  I: [0, 1, 255] };

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
    nv.addColormap('mmmed', ORANGE);
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
    overlay.cal_min = 0.5;
    overlay.cal_max = Math.max(1, overlay.global_max);
    overlay.colormap = 'mmmed';
    this.nv.setInterpolation(false);
    this.nv.setSliceType(this.views.multiplanar);
    this.nv.updateGLVolume();
  }

  setOpacity(value) {
    if (this.nv.volumes.length > 1) this.nv.setOpacity(1, value);
  }

  setOutline(isOutline) {
    this.nv.overlayOutlineWidth = isOutline ? 0.25 : 0;
    this.nv.updateGLVolume();
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
