import torchmle as tm


def test_doctor_visits_is_the_published_sample():
    df = tm.datasets.doctor_visits()
    assert df.shape == (5190, 12)
    assert not df.isna().any().any()
    # Cameron and Trivedi (1986): 4141 people did not see a doctor, and the mean number of visits is 0.302.
    assert (df["visits"] == 0).sum() == 4141
    assert round(df["visits"].mean(), 3) == 0.302


def test_doctor_visits_has_the_baselines_of_r():
    df = tm.datasets.doctor_visits()
    assert list(df["gender"].cat.categories) == ["male", "female"]
    for name in ("private", "freepoor", "freerepat", "nchronic", "lchronic"):
        assert list(df[name].cat.categories) == ["no", "yes"]


def test_doctor_visits_is_a_frame_of_ones_own():
    mine = tm.datasets.doctor_visits()
    mine["visits"] = 0
    assert tm.datasets.doctor_visits()["visits"].max() == 9
