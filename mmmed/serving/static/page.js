// The page: upload, progress, result. Everything that comes from the service is set as
// text, never as HTML. Not here: drawing the scan (viewer.js).
import { Viewer } from './viewer.js';

const POLL_MS = 500;
const $ = (id) => document.getElementById(id);
const state = { job: null, viewer: null, shown: false, keepHours: 24 };

function describe(error) {
  const facts = error.problem;
  if (facts) return [facts.what, facts.why, facts.remedy];
  return ['The service could not be reached.', String(error.message || error),
    'Check the connection and try again.'];
}

function showProblem(error) {
  const [what, why, remedy] = describe(error);
  const box = $('problem');
  box.replaceChildren();
  const first = document.createElement('p');
  const strong = document.createElement('b');
  strong.textContent = what;
  first.append(strong, ' ', why);
  const second = document.createElement('p');
  second.textContent = remedy;
  box.append(first, second);
  box.hidden = false;
}

function headers() {
  const token = $('token').value.trim();
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, headers: headers() });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const error = new Error(`status ${response.status}`);
  error.problem = body.error;
  throw error;
}

function send(file) {
  // fetch tells nothing about the progress of an upload
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append('model', $('model').value);
    form.append('file', file);
    const request = new XMLHttpRequest();
    request.open('POST', '/jobs');
    for (const [name, value] of Object.entries(headers())) {
      request.setRequestHeader(name, value);
    }
    request.responseType = 'json';
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      const share = event.loaded / event.total;
      showStage(share < 1 ? `Uploading, ${Math.round(100 * share)} %`
        : 'Uploaded; the service looks at it', share);
    };
    request.onload = () => {
      if (request.status === 202) return resolve(request.response);
      const error = new Error(`status ${request.status}`);
      error.problem = request.response && request.response.error;
      return reject(error);
    };
    request.onerror = () => reject(new Error('the connection was lost'));
    request.send(form);
  });
}

function showStage(text, share) {
  $('job').hidden = false;
  $('stage').textContent = text;
  $('progress').value = share;
  $('progress').hidden = false;
}

function reset() {
  $('problem').hidden = true;
  $('result').hidden = true;
  $('job').hidden = true;
  $('remove').hidden = true;
  state.job = null;
  state.shown = false;
}

async function upload(file) {
  reset();
  const limit = state.uploadMib * 1048576;
  if (file.size > limit) {
    const error = new Error();
    error.problem = { what: 'The file is too large.',
      why: `It has ${(file.size / 1048576).toFixed(0)} MiB, at most ${state.uploadMib} `
        + 'are accepted.', remedy: 'Upload a compressed file (.nii.gz, .zip).' };
    showProblem(error);
    return;
  }
  document.body.classList.add('busy');
  try {
    showStage('Uploading', 0);
    const job = await send(file);
    history.replaceState(null, '', `?job=${job.job_id}`);
    await follow(job.job_id);
  } catch (error) {
    $('job').hidden = true;
    showProblem(error);
  } finally {
    document.body.classList.remove('busy');
    $('file').value = '';
  }
}

async function follow(id) {
  state.job = id;
  $('remove').hidden = false;
  for (;;) {
    const job = await (await ask(`/jobs/${id}`)).json();
    if (state.job !== id) return;
    showJob(job);
    if (job.state === 'done') {
      await showResult(job);
      return;
    }
    if (job.state === 'failed') {
      const error = new Error();
      error.problem = job.error;
      showProblem(error);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function showJob(job) {
  const name = job.label ? `${job.label}: ` : '';
  let text = job.stage;
  if (job.state === 'queued') {
    text = job.queue_place ? `waiting, ${job.queue_place} before it` : 'next in the queue';
  }
  if (job.state === 'running') text += `, ${Math.round(100 * job.progress)} %`;
  showStage(name + text, job.progress);
  $('progress').hidden = job.state === 'done' || job.state === 'failed';
}

const cell = (text, kind = 'td', className = '') => {
  const element = document.createElement(kind);
  element.textContent = text;
  if (className) element.className = className;
  if (kind === 'th') element.scope = 'row';
  return element;
};

function showLesions(report) {
  const body = $('lesions').tBodies[0];
  body.replaceChildren();
  report.lesions.forEach((lesion, index) => {
    const row = document.createElement('tr');
    row.tabIndex = 0;
    row.append(
      cell(index + 1, 'th'),
      cell(lesion.class),
      cell(lesion.volume_ml.toFixed(lesion.volume_ml < 0.1 ? 3 : 2), 'td', 'number'),
      cell(lesion.voxels.toLocaleString('en'), 'td', 'number'),
      cell(lesion.center_ras_mm.map((mm) => mm.toFixed(1)).join(', ')),
    );
    const choose = () => {
      body.querySelector('[aria-selected]')?.removeAttribute('aria-selected');
      row.setAttribute('aria-selected', 'true');
      state.viewer?.goTo(lesion.center_ras_mm);
    };
    row.addEventListener('click', choose);
    row.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      choose();
    });
    body.append(row);
  });
  $('no-lesions').hidden = report.lesions.length > 0;
  $('lesions').hidden = report.lesions.length === 0;
}

function showWarnings(report) {
  const left = report.lesions_left_out;
  const notes = [...report.warnings];
  if (left) notes.push(`${left} smaller lesions are not in the table.`);
  $('warnings').replaceChildren(...notes.map((note) => {
    const item = document.createElement('li');
    item.className = 'note';
    item.textContent = note;
    return item;
  }));
}

function showMask() {
  state.viewer?.setMask(Number($('opacity').value), $('outline').checked);
}

async function showResult(job) {
  const report = job.report;
  $('result').hidden = false;
  $('volume').textContent = `${report.volume_ml.toFixed(2)} ml`;
  const count = report.lesion_count;
  $('summary').textContent = `in ${count} ${count === 1 ? 'lesion' : 'lesions'}, model `
    + `${report.model.name}, ${report.seconds.toFixed(1)} s`;
  showLesions(report);
  showWarnings(report);
  try {
    state.viewer ??= await Viewer.create($('viewer'), $('place'));
    const [image, mask] = await Promise.all(['image', 'mask'].map(
      async (name) => (await ask(`/jobs/${job.job_id}/${name}`)).arrayBuffer()));
    await state.viewer.show(image, mask);
    showMask();
    if (report.lesions.length) state.viewer.goTo(report.lesions[0].center_ras_mm);
    document.body.dataset.viewer = 'ready';
  } catch (error) {
    $('viewer-problem').textContent = 'The scan cannot be shown here '
      + `(${error.message || error}); the downloads below are complete.`;
    $('viewer-problem').hidden = false;
    document.body.dataset.viewer = 'failed';
  }
}

async function download(button) {
  const response = await ask(`/jobs/${state.job}/${button.dataset.file}`);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await response.blob());
  link.download = button.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function checkService() {
  const response = await fetch('/health');
  const health = await response.json();
  const words = { ready: 'Ready.', loading: 'The models are being loaded; you may upload '
    + 'already.', broken: 'The models could not be loaded.' };
  const waiting = health.queue_length;
  $('service').textContent = `${words[health.status]}${waiting
    ? ` ${waiting} ${waiting === 1 ? 'scan waits' : 'scans wait'}.` : ''}`;
  state.uploadMib = health.upload_mib;
  $('largest').textContent = `; at most ${health.upload_mib} MiB`;
  if ($('model').options.length === 0) {
    $('model').append(...health.models.map((name) => new Option(name, name)));
  }
  $('model-label').hidden = health.models.length < 2;
  $('token-label').hidden = !health.needs_token;
  $('footer').textContent = `mmmed ${health.versions.mmmed}, torch `
    + `${health.versions.torch}. Jobs are deleted after ${health.keep_hours} hours. `
    + `Viewer: NiiVue (BSD-2-Clause). ${health.notice}`;
  if (health.status === 'loading') setTimeout(checkService, 2000);
}

function listen() {
  const drop = $('drop');
  $('token').value = sessionStorage.getItem('token') || '';
  $('token').addEventListener('change', () => {
    sessionStorage.setItem('token', $('token').value);
    openFromAddress();
  });
  $('file').addEventListener('change', () => {
    if ($('file').files.length) upload($('file').files[0]);
  });
  for (const name of ['dragenter', 'dragover']) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add('over');
    });
  }
  for (const name of ['dragleave', 'drop']) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.remove('over');
    });
  }
  drop.addEventListener('drop', (event) => {
    if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0]);
  });
  // A file that misses the field must not replace the page.
  for (const name of ['dragover', 'drop']) {
    window.addEventListener(name, (event) => event.preventDefault());
  }
  $('opacity').addEventListener('input', showMask);
  $('outline').addEventListener('change', showMask);
  for (const button of document.querySelectorAll('[data-view]')) {
    button.addEventListener('click', () => {
      for (const other of document.querySelectorAll('[data-view]')) {
        other.setAttribute('aria-pressed', String(other === button));
      }
      state.viewer?.setView(button.dataset.view);
    });
  }
  for (const button of document.querySelectorAll('[data-file]')) {
    button.addEventListener('click', () => download(button).catch(showProblem));
  }
  $('remove').addEventListener('click', async () => {
    const id = state.job;
    if (!id || !window.confirm('Delete the scan and its results from the service?')) return;
    try {
      await ask(`/jobs/${id}`, { method: 'DELETE' });
      history.replaceState(null, '', '/');
      reset();
    } catch (error) {
      showProblem(error);
    }
  });
}

function openFromAddress() {
  const id = new URLSearchParams(window.location.search).get('job');
  if (!/^[0-9a-f]{32}$/.test(id || '')) return;
  reset();
  follow(id).catch((error) => {
    $('job').hidden = true;
    showProblem(error);
  });
}

reset();
listen();
checkService().catch(showProblem);
openFromAddress();
