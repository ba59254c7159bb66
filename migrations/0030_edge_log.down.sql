drop table platform.edge_log;
