"""Covariance matrices of the estimates: one object per kind, each computes what its name says or raises.

With bread ``A = (-H)^-1`` and row scores s_i (of weight w_i when a row counts w_i times):

=============  ==================================================================================================
nonrobust      "oim"; for a GLM fitted by scoring, "eim"
oim            A, times the dispersion where a model has one: observed information
eim            inverse of the expected information: in closed form, or averaged over all responses that each row could
               have had, values with a probability of their own (Tobit's limits) among them; not where times of censoring
               are known of the censored rows alone, where the support moves with the parameters, and of a quasi-likelihood
               other than a GLM's, which do not say it
fixed scale    A times a dispersion that is given, not estimated
opg            inverse of sum w_i s_i s_i' (Berndt, Hall, Hall and Hausman 1974)
HC0            A (sum w_i s_i s_i') A (Eicker 1967, Huber 1967, White 1980)
HC1            HC0 times n / (n - k)
HC2, HC3       scores divided by sqrt(1 - h_i), by 1 - h_i, with the leverages of the weighted design
               (MacKinnon and White 1985; for nonlinear models as R's sandwich); with several predictors a leverage
               is a matrix, and HC3 the jackknife by one Newton step (`torchmle.covariance.leverage`)
cluster        A (sum over clusters of S_g S_g') A, S_g the sum of a cluster's scores; several groupings by
               inclusion and exclusion (Cameron, Gelbach and Miller 2011)
cluster-crv3   changes in the estimate when a cluster is left out, about the estimate; "cluster-jk" about their mean
               (MacKinnon, Nielsen and Webb 2023)
HAC            Newey and West (1987): rows in time order; kernels bartlett, uniform, parzen, qs
hac-panel      HAC within each series of a panel
hac-groupsum   HAC of the sums over each period (Driscoll and Kraay 1998)
survey         strata, primary sampling units, finite populations (Binder 1983)
=============  ==================================================================================================

Weights.  A row of frequency weight w stands for w rows alike, so its score counts w times and so does its square.
Precision and sampling weights are part of the score, so their squares enter; robust standard errors do not change when
all of them are multiplied by the same number.

``convention`` names whose numbers are reproduced.  For clusters with G groups the small-sample factor is

==============  ==================================================  =====================================
convention      OLS and WLS                                         other models
==============  ==================================================  =====================================
"statsmodels"   G/(G-1) (n-1)/(n-k)                                 the same
"R"             G/(G-1) (n-1)/(n-k)  (sandwich::vcovCL)             G/(G-1)
"stata"         G/(G-1) (n-1)/(n-k)                                 G/(G-1);  HC1 is n/(n-1)
"none"          1                                                   1
==============  ==================================================  =====================================

and "R" makes bread and leverages of the expected information where that has a closed form, as package sandwich does for a glm
(leverages of the observed one where a model says the expected one of all rows alone); the others of the observed one.
"""

from .base import CONVENTIONS, Covariance, Estimate
from .classical import OPG, Expected, FixedScale, Nonrobust
from .cluster import Cluster, groupings
from .hac import HAC, GroupsumHAC, PanelHAC
from .heteroscedastic import HC
from .jackknife import Jackknife
from .registry import KINDS, choose
from .survey import Survey

__all__ = [
    "CONVENTIONS",
    "HAC",
    "HC",
    "KINDS",
    "OPG",
    "Cluster",
    "Covariance",
    "Estimate",
    "Expected",
    "FixedScale",
    "GroupsumHAC",
    "Jackknife",
    "Nonrobust",
    "PanelHAC",
    "Survey",
    "choose",
    "groupings",
]
