"""Peers that tune a template: the network by hand with its widths, depths, rate, decay, dropout.

The template: convolutions of 3x3 with batch norm and ReLU in two or three stages, residual or not,
average pooling over all and a linear layer. Images are shifted and, where the task bears it,
mirrored; one cycle, AdamW, label smoothing.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from handwritten import (
    BATCH,
    SMOOTHING,
    Residual,
    accuracy,
    convolution,
    probabilities,
    shifted,
    standardised,
)
from peers_task import Handed, Task
from torch import nn
from torch.nn.functional import cross_entropy

from metaqnn.data.images import Images

TRIALS = 8
"""So many networks of middle size are trained in full in the time of a study."""

EPOCHS = 40
"""At most."""

SEARCHED = 0.5
"""Of the time for Optuna's study; the best is trained anew on all images in the rest."""


def network_of(choices: dict[str, Any], channels: int, classes: int) -> nn.Module:
    """The template's network."""
    width = choices["width"]
    layers: list[nn.Module] = [convolution(channels, width)]
    read = width
    for stage in range(choices["stages"]):
        filters = width * 2 ** (stage + 1)
        layers += [convolution(read, filters), nn.MaxPool2d(2)]
        for _ in range(choices["blocks"]):
            layers.append(
                Residual(filters) if choices["residual"] else convolution(filters, filters)
            )
        read = filters
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(choices["dropout"]))
    return nn.Sequential(*layers, *head, nn.Linear(read, classes))


class Training:
    """A training of the template, an epoch at a time."""

    def __init__(
        self, choices: dict[str, Any], images: Images, epochs: int, *, mirrored: bool
    ) -> None:
        """The network with its first weights."""
        self.x, self.images, self.mirrored = standardised(images, images), images, mirrored
        self.network = network_of(choices, self.x.shape[1], len(images.classes))
        rate = choices["rate"]
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), rate, weight_decay=choices["decay"]
        )
        steps = -(-len(self.x) // BATCH)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rate, epochs * steps)

    def epoch(self) -> None:
        """See every image once."""
        self.network.train()
        for number, batch in enumerate(torch.randperm(len(self.x)).split(BATCH)):
            read = shifted(self.x[batch])
            if self.mirrored and number % 2:
                read = read.flip(3)
            self.optimizer.zero_grad()
            labels = self.images.labels[batch]
            loss = cross_entropy(self.network(read), labels, label_smoothing=SMOOTHING)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            self.optimizer.step()
            self.schedule.step()
        self.network.eval()


def optuna_template(task: Task, seed: int, work: Path) -> Handed:
    """TPE with the Hyperband pruner; the best one is trained anew on all images."""
    import optuna

    began = time.process_time()
    middle = {
        **{"width": 24, "stages": 3, "blocks": 1, "residual": True},
        **{"dropout": 0.2, "rate": 5e-3, "decay": 0.01},
    }
    torch.manual_seed(seed)
    trial = Training(middle, task.training, EPOCHS, mirrored=task.mirrored)
    trial.epoch()
    warm = time.process_time()  # the first epoch has what is done once in it
    trial.epoch()
    epoch = time.process_time() - warm
    epochs = max(3, min(EPOCHS, int(SEARCHED * task.limit / TRIALS / epoch)))
    ends = began + SEARCHED * task.limit
    held = standardised(task.validation, task.training)

    def train(trial: optuna.Trial) -> float:
        choices = {
            "width": trial.suggest_categorical("width", (8, 16, 24, 32)),
            "stages": trial.suggest_int("stages", 2, 3),
            "blocks": trial.suggest_int("blocks", 0, 2),
            "residual": trial.suggest_categorical("residual", (False, True)),
            "dropout": trial.suggest_float("dropout", 0, 0.5),
            "rate": trial.suggest_float("rate", 5e-4, 2e-2, log=True),
            "decay": trial.suggest_float("decay", 1e-4, 0.1, log=True),
        }
        training = Training(choices, task.training, epochs, mirrored=task.mirrored)
        spent, found = time.process_time(), 0.0
        for number in range(epochs):
            training.epoch()
            found = accuracy(probabilities(training.network, held), task.validation.labels)
            trial.report(found, number)
            if trial.should_prune() or time.process_time() > ends:
                raise optuna.TrialPruned()
        trial.set_user_attr("epoch", (time.process_time() - spent) / epochs)
        return found

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs),
    )
    while time.process_time() < ends:
        study.optimize(train, n_trials=1)
    best = study.best_trial
    left = task.limit - (time.process_time() - began)
    growth = len(task.all) / len(task.training)
    last = max(1, min(2 * EPOCHS, int(0.95 * left / (best.user_attrs["epoch"] * growth))))
    training = Training(best.params, task.all, last, mirrored=task.mirrored)
    for _ in range(last):
        training.epoch()
    tested = probabilities(training.network, standardised(task.test, task.all))
    said = f"{len(study.trials)} trials of up to {epochs} epochs, then {last}: {best.params}"
    return tested, None, f"Optuna {optuna.__version__}, {said}"


class TimeOver(KeyboardInterrupt):
    """The time of a search by KerasTuner is over, which knows of none but ends on this."""


def keras_tuner(task: Task, seed: int, work: Path) -> Handed:
    """Hyperband over the same template in Keras; the best weights by validation."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import keras_tuner as tuners

    began = time.process_time()
    channels, height, width = task.training.shape
    mean, deviation = (part.flatten().tolist() for part in task.training.statistics)
    parts = {
        name: (images.images.permute(0, 2, 3, 1).numpy(), images.labels.numpy())
        for name, images in (
            ("training", task.training),
            ("validation", task.validation),
            ("test", task.test),
        )
    }

    def build(choices: Any) -> Any:
        layers = keras.layers
        inputs = keras.Input((height, width, channels))
        x = layers.Normalization(mean=mean, variance=[each**2 for each in deviation])(inputs)
        x = layers.RandomTranslation(3 / height, 3 / width, fill_mode="constant")(x)
        if task.mirrored:
            x = layers.RandomFlip("horizontal")(x)

        def convolved(x: Any, filters: int) -> Any:
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            return layers.ReLU()(layers.BatchNormalization()(x))

        first = choices.Choice("width", (8, 16, 24, 32))
        blocks, residual = choices.Int("blocks", 0, 2), choices.Boolean("residual")
        x = convolved(x, first)
        for stage in range(choices.Int("stages", 2, 3)):
            filters = first * 2 ** (stage + 1)
            x = layers.MaxPooling2D()(convolved(x, filters))
            for _ in range(blocks):
                if residual:
                    x = layers.Add()([x, convolved(convolved(x, filters), filters)])
                else:
                    x = convolved(x, filters)
        x = layers.Dropout(choices.Float("dropout", 0.0, 0.5))(layers.GlobalAveragePooling2D()(x))
        model = keras.Model(inputs, layers.Dense(len(task.training.classes), "softmax")(x))
        rate = choices.Float("rate", 5e-4, 2e-2, sampling="log")
        decay = choices.Float("decay", 1e-4, 0.1, sampling="log")
        model.compile(
            optimizer=keras.optimizers.AdamW(rate, weight_decay=decay),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if time.process_time() - began > task.limit:
                raise TimeOver

    tuner = tuners.Hyperband(
        build,
        objective="val_accuracy",
        max_epochs=EPOCHS,
        factor=3,
        seed=seed,
        directory=str(work),
        project_name="tuned",
    )
    with suppress(TimeOver):  # what was found until then counts
        tuner.search(
            *parts["training"],
            validation_data=parts["validation"],
            batch_size=BATCH,
            callbacks=[Watch()],
            verbose=0,
        )
    models = tuner.get_best_models(1)
    tested = torch.as_tensor(models[0].predict(parts["test"][0], verbose=0)).cpu()
    best = tuner.get_best_hyperparameters(1)[0].values
    said = f"{len(tuner.oracle.trials)} trials: {best}"
    return tested, None, f"KerasTuner {tuners.__version__}, {said}"
