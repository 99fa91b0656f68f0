"""Metafiles of projects: what they name exists, and numbers agree with the recipe."""

from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope

ROOT = Path(__file__).resolve().parents[1]
METAFILES = sorted((ROOT / 'projects').glob('*/metafile.yml'))
_LENGTHS = {'Epochs': 'max_epochs', 'Iterations': 'max_iters'}
names = [str(p.relative_to(ROOT)) for p in METAFILES]


@pytest.mark.parametrize('path', METAFILES, ids=names)
def test_metafile_agrees_with_its_recipes(path):
    meta = yaml.safe_load(path.read_text(encoding='utf-8'))
    collections = {one['Name'] for one in meta['Collections']}
    assert all((ROOT / one['README']).is_file() for one in meta['Collections'])
    for model in meta['Models']:
        recipe = ROOT / model['Config']
        assert recipe.stem == model['Name']
        assert model['In Collection'] in collections
        config = Config.fromfile(recipe)
        init_default_scope(config.default_scope)
        from mmseg.registry import MODELS

        network = MODELS.build(config.model.get('network', config.model))
        facts = model['Metadata']
        assert sum(p.numel() for p in network.parameters()) == facts['Parameters']
        assert config.train_dataloader.batch_size == facts['Batch Size']
        unit = 'Epochs' if 'max_epochs' in config.train_cfg else 'Iterations'
        assert config.train_cfg[_LENGTHS[unit]] == facts[unit]
        assert config.randomness.seed == facts['Seed']
