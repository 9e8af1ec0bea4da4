from jepa_planner.evaluation.benchmark.timing import Timing
from jepa_planner.nodes.pursuit_speed import PursuitSpeed, pursuit_table


def test_searches_through_the_nodes_stand_beside_those_without_ros():
    found = PursuitSpeed(Timing((0.1, 0.2, 0.3)), {"all in one process": Timing((0.3, 0.3, 0.3))})
    assert [(row[0], row[3]) for row in pursuit_table(found).rows] == [
        ("no ROS", "1.00"),
        ("all in one process", "1.50"),
    ]
