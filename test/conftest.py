"""What all tests share: few threads, and ROS 2 traffic that stays on this machine and in a domain of its own."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A process that is killed may leave Fast DDS's shared memory locked for the others (eProsima/Fast-DDS#5469).
os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "UDPv4"
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
