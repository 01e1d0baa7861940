-- Features by the class of their shape, by two presets of thresholds.
select
    classes.class,
    count(*) filter (feature_shapes.random_directions = classes.class) as random_directions,
    count(*) filter (feature_shapes.published = classes.class) as published
from feature_shapes, (values ('prediction'), ('suppression'), ('partition')) as classes (class)
group by classes.class
order by classes.class
