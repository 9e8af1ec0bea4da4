import numpy as np

from jepa_planner.learning.data.lerobot.statistics import NumberStatistics, PictureStatistics


def test_pictures_counted_by_levels_have_the_statistics_of_their_pixels():
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 256, (7, 5, 6, 3), dtype=np.uint8)
    shown[..., 1] //= 3
    statistics = PictureStatistics()
    for part in (shown[:4], shown[4:]):
        for picture in part:
            statistics.add(picture)
        own = statistics.end_of_episode()
        assert own["count"] == [len(part)]
        np.testing.assert_allclose(np.ravel(own["mean"]), part.mean(axis=(0, 1, 2)) / 255)
    total, pixels = statistics.total(), shown.reshape(-1, 3) / 255
    for name, expected in (("min", pixels.min(0)), ("max", pixels.max(0)), ("std", pixels.std(0))):
        assert np.shape(total[name]) == (3, 1, 1)
        np.testing.assert_allclose(np.ravel(total[name]), expected)
    expected = np.quantile(pixels, 0.9, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(np.ravel(total["q90"]), expected)


def test_numbers_have_the_statistics_of_all_episodes_together():
    statistics = NumberStatistics()
    rows = np.arange(12.0).reshape(6, 2)
    assert statistics.add(rows[:2])["mean"] == [1.0, 2.0]
    statistics.add(rows[2:])
    total = statistics.total()
    assert total["mean"] == [5.0, 6.0] and total["q50"] == [5.0, 6.0] and total["count"] == [6]
    assert NumberStatistics().add(np.array([True, False]))["max"] == [1.0]
