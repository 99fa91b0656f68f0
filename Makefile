# make demo [DATA=folder]   raw head CT -> prepared -> trained -> tested -> report
# make demo-spine [SAMPLE=folder]   a spinal cord from DICOM to lesions and report
# make test                 lint, types and the whole test suite
# make setup [MMCV=full]    the environment alone; MMCV=full compiles mmcv's operators
PYTHON ?= $(shell command -v python3.11 || command -v python3)
MMCV ?= lite
EXTRAS := openmmlab,dicom,onnx,phantom,register,serve,spine,volumes,test
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Threads that wait by spinning take the core from the thread they wait for: ten times
# slower on a machine that does anything else.
export OMP_WAIT_POLICY ?= PASSIVE

# --- environment --------------------------------------------------------------------
READY := .venv/.ready-$(MMCV)
.PHONY: setup demo demo-spine test lint bench clean
setup: $(READY)

$(READY): constraints.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 10))' || \
	  { echo 'mmmed needs Python 3.10 or later (tested: 3.11); set PYTHON=...'; exit 2; }
	@rm -f .venv/.ready-*
	$(PYTHON) -m venv .venv
	@# One resolver call: installed apart, openmim would downgrade setuptools.
	pip install -c constraints.txt setuptools wheel ninja
ifeq ($(MMCV),full)
	pip install -c constraints.txt torch numpy
	pip uninstall -y mmcv-lite
	MMCV_WITH_OPS=1 pip install -c constraints.txt --no-build-isolation -v 'mmcv==2.1.0'
	pip install -c constraints.txt -e '.[$(EXTRAS)]' setuptools
else
	pip install -c constraints.txt -e '.[$(EXTRAS)]' mmcv-lite setuptools
endif
	python -m mmmed.doctor
	@touch $@

# --- the main job, small ------------------------------------------------------------
RECIPE := configs/unet/unet-s4-c16_fcn_1xb4-crop-dicece-adamw-1200i_cranium-256x256.py
DEMO := work_dirs/demo/$(if $(DATA),$(notdir $(abspath $(DATA))),phantom)
RAW := $(if $(DATA),$(abspath $(DATA)),$(DEMO)/raw)
PREPARE ?=
OPTIONS := $(foreach s,train val test,$(s)_dataloader.dataset.data_root=$(DEMO)/data)

demo: $(READY)
	@test -d $(RAW) || $(if $(DATA),{ echo 'DATA=$(DATA) is no folder'; exit 2; },\
	  { rm -rf $(RAW).part; python tools/make_phantom.py head-ct $(RAW).part && \
	  mv $(RAW).part $(RAW); })
	@# Exit code 3: done, and some files were left out, each named.
	python tools/prepare_dataset.py cranium $(RAW) --out $(DEMO)/data --overwrite $(PREPARE) \
	  || test $$? -eq 3
	mim train mmseg $(RECIPE) --work-dir $(DEMO)/run --resume --cfg-options $(OPTIONS)
	for split in train val; do \
	  mim test mmseg $(RECIPE) --work-dir $(DEMO)/run \
	    --checkpoint $$(cat $(DEMO)/run/last_checkpoint) \
	    --cfg-options $(OPTIONS) test_dataloader.dataset.split=$$split || exit 1; \
	done
	python tools/report.py $(DEMO)/run

# --- the spinal cord cascade, small ---------------------------------------------------
# SAMPLE=folder takes real images (projects/spinal_cord_lesion) and generated spines
# beside them, without it everything is generated.
SPINE := work_dirs/demo-spine$(if $(SAMPLE),-real)
SPINE_SIX := \
  anatomy:resnet/resnet10t_anatomy_1xb32-adamw-12e_spinedemo-112x112.py \
  spine_location_view:resnet/resnet10t_locview_1xb32-adamw-6e_spinedemo-112x112.py \
  spine_sequence:resnet/resnet10t_sequence_1xb32-adamw-6e_spinedemo-112x112.py \
  spinal_cord:resnet/resnet10t_cord_1xb32-adamw-6e_spinedemo-112x112.py \
  cord_segmentation:spinalunet/spinalunet-c8_cord_1xb16-adam-14e_spinedemo-96x96.py \
  lesion_segmentation:spinalunet/spinalunet-c8_lesion_1xb16-synth-adam-10e_spinedemo-128x128.py

demo-spine: $(READY)
	test -d $(SPINE)/raw || { rm -rf $(SPINE)/raw.part && python \
	  projects/spinal_cord_lesion/gather.py $(SPINE)/raw.part \
	  $(if $(SAMPLE),--sample $(SAMPLE)) && mv $(SPINE)/raw.part $(SPINE)/raw; }
	for target in cord lesion; do \
	  python tools/prepare_dataset.py spine $(SPINE)/raw/images --target $$target \
	    --targets $(SPINE)/raw/targets.csv --val-patients test --overwrite \
	    --out $(SPINE)/$$target || test $$? -eq 3 || exit 1; \
	done
	@# --resume with load_from would go on with the cord's training.
	set -e; for pair in $(SPINE_SIX); do \
	  stage=$${pair%%:*}; data=$(SPINE)/cord; start=; resume=--resume; \
	  if [ $$stage = lesion_segmentation ]; then data=$(SPINE)/lesion; \
	    if [ ! -f $(SPINE)/runs/$$stage/last_checkpoint ]; then resume=; \
	      start=load_from=$(SPINE)/runs/cord_segmentation/epoch_14.pth; fi; fi; \
	  mim train mmseg configs/$${pair#*:} --work-dir $(SPINE)/runs/$$stage $$resume \
	    --cfg-options train_dataloader.dataset.data_root=$$data \
	    test_dataloader.dataset.data_root=$$data $$start; \
	done
	python tools/spine.py collect $(SPINE)/runs --out $(SPINE)/weights --overwrite
	@# A gate of so small a training that is not sure shall not end the demo.
	python tools/spine.py inference -i $(SPINE)/raw/dicom -o $(SPINE)/results \
	  --weights $(SPINE)/weights --on-reject warn --overwrite
	for kind in cord:spinal_cord_mask lesion:segmentation_mask; do \
	  python tools/evaluate.py $(SPINE)/results $(SPINE)/raw/reference/$${kind%:*} \
	    --pred-pattern "{case}/T2w/$${kind#*:}" --overwrite \
	    --out $(SPINE)/scores/$${kind%:*} || exit 1; \
	done
	python tools/spine.py analyze $(SPINE)/raw/reference/lesion/test.nii.gz \
	  --cord $(SPINE)/raw/reference/cord/test.nii.gz -o $(SPINE)/reference

# --- checks -------------------------------------------------------------------------
test: $(READY) lint
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadgroup

lint: $(READY)
	ruff check .
	ruff format --check .
	mypy
	codespell

# The studies among them train for an hour and take the folder of their data.
STUDIES := $(wildcard benchmarks/hippocampus*.py benchmarks/*_study.py) \
           benchmarks/lesion_classification.py
bench: $(READY)
	for script in $(filter-out $(STUDIES),$(wildcard benchmarks/*.py)); do \
	  python $$script || exit 1; done

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build *.egg-info
