"""Answers of the API. Their descriptions are its documentation."""

from __future__ import annotations

from app.schemas.annotations import AnnotationIn, AnnotationOut, AnnotationStateOut, CategoryOut
from app.schemas.base import Problem
from app.schemas.experiments import ArmOut, ExperimentDetailOut, ExperimentOut, StabilityOut
from app.schemas.interventions import ControlOut, EffectOut, GroundOut, MissingOut, SteeringOut
from app.schemas.labels import AssociationOut, ConfoundOut, LabelGroupOut, LabelOut
from app.schemas.latents import ChainOut, ClassOut, ExampleOut, LatentDetailOut, LatentOut, LatentPageOut, PairOut
from app.schemas.runs import RunOut, SaeOut, StatisticOut
from app.schemas.search import FoundGroupOut, FoundOut, PartOut, SearchOut

__all__ = [
    "AnnotationIn",
    "AnnotationOut",
    "AnnotationStateOut",
    "ArmOut",
    "AssociationOut",
    "CategoryOut",
    "ChainOut",
    "ClassOut",
    "ConfoundOut",
    "ControlOut",
    "EffectOut",
    "ExampleOut",
    "ExperimentDetailOut",
    "ExperimentOut",
    "FoundGroupOut",
    "FoundOut",
    "GroundOut",
    "LabelGroupOut",
    "LabelOut",
    "LatentDetailOut",
    "LatentOut",
    "LatentPageOut",
    "MissingOut",
    "PairOut",
    "PartOut",
    "Problem",
    "RunOut",
    "SaeOut",
    "SearchOut",
    "StabilityOut",
    "StatisticOut",
    "SteeringOut",
]
